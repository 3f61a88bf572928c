"""Every operation against plain Python, the group in which it is visible, and what a user can get wrong."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup, FourierBasis
from grokinterp.tasks import Task, TaskConfig

# Written from the definitions of Power et al. 2022 and openai/grok; None: the pair is not in the domain.
PLAIN = {
    "add": lambda a, b, p: (a + b) % p,
    "subtract": lambda a, b, p: (a - b) % p,
    "multiply": lambda a, b, p: (a * b) % p,
    "divide": lambda a, b, p: next((c for c in range(p) if b and c * b % p == a), None),
    "x2+y2": lambda a, b, p: (a * a + b * b) % p,
    "x2+xy+y2": lambda a, b, p: (a * a + a * b + b * b) % p,
    "x2+xy+y2+x": lambda a, b, p: (a * a + a * b + b * b + a) % p,
    "x3+xy": lambda a, b, p: (a * a * a + a * b) % p,
    "x3+xy2+y": lambda a, b, p: (a * a * a + a * b * b + b) % p,
    "divide-or-subtract": lambda a, b, p: PLAIN["divide"](a, b, p) if b % 2 else (a - b) % p,
    "add-or-multiply": lambda a, b, p: (a * b if a % 2 else a + b) % p,
    "add-or-subtract": lambda a, b, p: (a - b if a % 2 else a + b) % p,
}
PRODUCTS = ["add", "subtract", "multiply", "divide"]


@pytest.mark.parametrize("operation", PLAIN)
@pytest.mark.parametrize("p", [3, 7, 11])
def test_residues_agree_with_python(operation, p):
    task = Task(TaskConfig(operation=operation, p=p))
    expected = [(a, b, PLAIN[operation](a, b, p)) for a in range(p) for b in range(p)]
    expected = [(a, b, c) for a, b, c in expected if c is not None]
    assert [(*pair, c) for pair, c in zip(task.pairs.tolist(), task.answers.tolist(), strict=True)] == expected
    assert (task.n_answers, task.n_symbols, task.n_pairs) == (p, p, len(expected))


def test_division_by_what_has_no_inverse_never_occurs():
    task = Task(TaskConfig(operation="divide", p=12))
    assert sorted(set(task.pairs[:, 1].tolist())) == [1, 5, 7, 11]
    assert all(c * b % 12 == a for (a, b), c in zip(task.pairs.tolist(), task.answers.tolist(), strict=True))
    assert Task(TaskConfig(operation="divide", p=97)).n_pairs == 9312  # openai/grok.


def test_permutations_are_composed_conjugated_and_sandwiched():
    elements = list(permutations(range(4)))

    def after(p, q):  # p first, then q.
        return tuple(q[i] for i in p)

    def inverse(p):
        return tuple(p.index(i) for i in range(4))

    expected = {
        "compose": after,
        "conjugate": lambda a, b: after(after(a, b), inverse(a)),
        "aba": lambda a, b: after(after(a, b), a),
    }
    for operation, of in expected.items():
        task = Task(TaskConfig(operation=operation, group="S4"))
        assert task.n_pairs == 576
        for (a, b), c in zip(task.pairs.tolist(), task.answers.tolist(), strict=True):
            assert elements[c] == of(elements[a], elements[b]), operation


@pytest.mark.parametrize(
    ("values", "group", "cyclic"),
    [
        ({"operation": "add", "p": 6}, "Z_6", True),
        ({"operation": "subtract", "p": 5}, "Z_5", True),
        ({"operation": "multiply", "p": 11}, "(Z/11)^× ≅ Z_10", True),
        ({"operation": "divide", "p": 7}, "(Z/7)^× ≅ Z_6", True),
        ({"operation": "multiply", "p": 9}, "(Z/9)^× ≅ Z_6", True),
        ({"operation": "divide", "p": 8}, "(Z/8)^×", False),
        ({"operation": "compose", "group": "S3"}, "S_3", False),
        ({"operation": "compose", "group": "Q8"}, "Q_8", False),
        ({"operation": "compose", "group": "Z2xZ3"}, "Z_2 × Z_3 ≅ Z_6", True),
        ({"operation": "table", "table": [[1, 0], [0, 1]]}, "the group of the table ≅ Z_2", True),
    ],
)
def test_a_product_is_a_product_in_its_group(values, group, cyclic):
    structure = Task(TaskConfig(**values)).structure
    assert (structure.group_name, structure.is_cyclic, structure.is_product) == (group, cyclic, True)
    table = Task(TaskConfig(**values)).table
    products = table[np.ix_(structure.inputs_a, structure.inputs_b)]
    np.testing.assert_array_equal(products, structure.outputs[structure.group.table])
    s, c = np.indices(products.shape)
    np.testing.assert_array_equal(structure.group.table[structure.quotients, c], s)
    np.testing.assert_array_equal(structure.quotients[s, structure.partners[s, c]], c)


def test_what_is_no_product_is_read_by_its_answers():
    for values in ({"operation": "x3+xy", "p": 7}, {"operation": "conjugate", "group": "S3"}):
        structure = Task(TaskConfig(**values)).structure
        assert not structure.is_product
        assert structure.combination == "answer"


def test_no_group_is_claimed_where_none_is_known():
    assert Task(TaskConfig(operation="table", table=[[0, 1, 2], [1, 2, 0]])).structure is None
    assert Task(TaskConfig(operation="table", table=[[0, 1], [1, None]])).structure is None
    # b = 3 has no inverse mod 9, and 3 is odd: the grid of all pairs has holes.
    assert Task(TaskConfig(operation="divide-or-subtract", p=9)).structure is None


def test_words_for_the_combination():
    words = {"add": "a + b", "subtract": "a − b", "multiply": "log a + log b", "divide": "log a − log b"}
    for operation, combination in words.items():
        assert Task(TaskConfig(operation=operation, p=7)).structure.combination == combination
    assert Task(TaskConfig(operation="compose", group="S3")).structure.combination == "ab"


def test_logarithms_are_to_the_smallest_primitive_root():
    structure = Task(TaskConfig(operation="multiply", p=97)).structure
    assert structure.outputs[:3].tolist() == [1, 5, 25]
    assert isinstance(structure.basis, FourierBasis)
    assert structure.n == 96


def test_a_table_with_absent_pairs_from_a_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("0, 1, -\n3,,1\n")
    from_file = TaskConfig(operation="table", table=str(path), train_fraction=0.5)
    assert from_file == TaskConfig(operation="table", table=[[0, 1, None], [3, -1, 1]], train_fraction=0.5)
    assert from_file == TaskConfig(**from_file.model_dump())  # As run.json keeps it.
    task = Task(from_file)
    assert task.pairs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 2]]
    assert task.answers.tolist() == [0, 1, 3, 1]
    assert (task.n_answers, task.n_symbols, task.equals_token) == (4, 4, 4)
    assert task.tokens.tolist() == [[0, 0, 4], [0, 1, 4], [1, 0, 4], [1, 2, 4]]
    assert task.name == "the table of 4 pairs (2 × 3)"


def test_an_operator_token_stands_between_the_inputs():
    task = Task(TaskConfig(p=5, operator_token=True))
    assert task.positions == ("a", "operator", "b", "=")
    assert task.tokens[7].tolist() == [1, 6, 2, 5]
    assert (task.n_tokens, task.equals_token) == (7, 5)
    a, b = task.inputs
    assert (int(a[7]), int(b[7])) == (1, 2)


def test_noise_spoils_as_many_train_labels_as_asked_and_no_others():
    task = Task(TaskConfig(p=11, noise=9))
    wrong = np.flatnonzero(task.labels != task.answers)
    assert len(wrong) == 9
    assert set(wrong) <= set(task.split.train)
    assert ((task.labels >= 0) & (task.labels < 11)).all()
    np.testing.assert_array_equal(task.labels, Task(TaskConfig(p=11, noise=9)).labels)
    assert (task.labels != Task(TaskConfig(p=11, noise=9, noise_seed=1)).labels).any()
    clean = Task(TaskConfig(p=11))
    assert clean.labels is clean.answers


def test_the_table_of_a_group_can_stand_in_for_its_name():
    quaternions = FiniteGroup.named("Q8").table
    task = Task(TaskConfig(operation="conjugate", table=quaternions))
    assert task.name == "a · b · a⁻¹ in the group of the table"
    np.testing.assert_array_equal(task.table, Task(TaskConfig(operation="conjugate", group="Q8")).table)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"group": "S5"},
            r"task\.group is given, but task\.operation = 'add' works on residues mod p; choose one of com",
        ),
        ({"table": [[0]]}, r"task\.table is given, but task\.operation = 'add' works .*choose one of compose, .*table"),
        ({"operation": "compose"}, r"'compose': needs one of task\.group, such as S5, and task\.table.*none is given"),
        (
            {"operation": "aba", "group": "S3", "table": [[0]]},
            r"task\.operation = 'aba': needs one of task\.group.*both are given",
        ),
        ({"operation": "table"}, r"task\.operation = 'table': needs task\.table, a CSV file or an array"),
        ({"operation": "compose", "group": "M11"}, r"task\.group: .*M11"),
        ({"operation": "compose", "group": "S7"}, r"task\.group = 'S7' has 5,040 elements: needs at most 2,000"),
        (
            {"operation": "compose", "table": [[0, 1, 2], [1, 0, 2], [2, 1, 0]]},
            r"task\.table: .*group",
        ),
        (
            {"operation": "compose", "table": [[0, 1], [1, None]]},
            r"task\.table: .*is no group: row 2, column 2 is absent; a group answers every pair",
        ),
        (
            {"operation": "table", "table": "nowhere.csv"},
            r"task\.table = 'nowhere\.csv': No such file or directory; give",
        ),
        (
            {"operation": "table", "table": [[None, ""], ["-", -1]]},
            r"task\.table has no pair: every entry is absent; give at least two pairs their answers",
        ),
        (
            {"operation": "table", "table": [[0, 1], [2]]},
            r"task\.table: row 2 has 1 entries and row 1 has 2; every row",
        ),
        (
            {"operation": "table", "table": [[0, 1], [2, "x"]]},
            r"task\.table, row 2, column 2: 'x' is no answer; needs an integer from 0 to 1,999, or nothing",
        ),
        ({"operation": "table", "table": [[0, 1.5]]}, r"task\.table, row 1, column 2: '1\.5' is no answer"),
        ({"operation": "table", "table": [["0"], ["²"]]}, r"task\.table, row 2, column 1: '²' is no answer"),
        ({"operation": "table", "table": [[2000, 1]]}, r"row 1, column 1: '2000' is no answer; needs .* 0 to 1,999"),
        ({"operation": "table", "table": ["0;1", "1;0"]}, r"'0;1' is no answer; .*; separate cells by commas"),
        ({"operation": "table", "table": [[0, 1], [], [1, 0]]}, r"row 2 has 1 entries and row 1 has 2; every row"),
        (
            {"operation": "table", "table": [[0]] * 2001},
            r"task\.table has 2,001 rows and 1 columns; needs at most 2,000",
        ),
        ({"operation": "multiply", "p": 1147}, r"task\.p: \(Z/1147\)\^× has 1080 elements: needs at most 720"),
        ({"operation": "compose", "group": "U2000"}, r"task\.group: \(Z/2000\)\^× has 800 elements: needs at most 720"),
        ({"operation": "table", "table": [[0, -3]]}, r"task\.table, row 1, column 2: '-3' is no answer"),
        (
            {"operation": "table", "table": 5},
            r"task\.table: needs rows of integers; give an array, a list of rows or a",
        ),
    ],
)
def test_bad_input_names_the_offending_entry(values, message):
    with pytest.raises(GrokinterpError, match=message) as caught:
        TaskConfig(**values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"p": 5, "noise": 8}, r"task\.noise = 8: needs at most the 7 train pairs; lower it"),
        (
            {"operation": "table", "table": [[0, 0], [0, 0]], "train_fraction": 0.5, "noise": 1},
            r"task\.noise = 1: the task has one answer only",
        ),
    ],
)
def test_noise_that_cannot_be_is_refused(values, message):
    with pytest.raises(GrokinterpError, match=message):
        _ = Task(TaskConfig(**values)).labels


def test_a_table_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(GrokinterpError, match=r"task\.table = .*: it is no text; give the path of a CSV file"):
        TaskConfig(operation="table", table=path)


def test_an_empty_line_of_one_column_is_an_absent_pair(tmp_path):
    path = tmp_path / "column.csv"
    path.write_text("0\n\n1\n2\n\n")
    assert Task(TaskConfig(operation="table", table=str(path), train_fraction=0.5)).table.tolist() == [
        [0],
        [-1],
        [1],
        [2],
    ]


def test_tables_may_be_tensors_and_data_frames():
    rows = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    for table in (torch.tensor(rows), pd.DataFrame(rows), np.array(rows, dtype=np.uint8), tuple(map(tuple, rows))):
        assert Task(TaskConfig(operation="table", table=table)).table.tolist() == rows


def test_a_group_of_one_element_has_no_structure():
    assert Task(TaskConfig(operation="multiply", p=2, train_fraction=0.5)).structure is None


def test_a_listed_split_is_taken_as_it_stands_and_an_unknown_one_is_empty():
    task = Task(TaskConfig(p=5, split_scheme="listed", train_pairs=(7, 3, 11)))
    assert task.split.train.tolist() == [7, 3, 11]
    assert len(task.split.test) == 22
    assert len(Task(TaskConfig(p=5, split_scheme="unknown")).split.train) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split_scheme": "listed"}, r"task\.split_scheme = 'listed' without task\.train_pairs: 'listed' needs them"),
        ({"train_pairs": (1,)}, r"task\.split_scheme = 'nanda' with task\.train_pairs: 'listed' needs them, the"),
        (
            {"operator_token": True, "equals_token": False},
            r"task\.operator_token = true: needs task\.equals_token = true",
        ),
    ],
)
def test_splits_and_tokens_that_do_not_fit(values, message):
    with pytest.raises(GrokinterpError, match=message):
        TaskConfig(**values)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [((25,), "task.train_pairs holds 25: needs"), ((1, 1), "task.train_pairs holds 2 entries, 1 different: needs")],
)
def test_a_list_of_train_pairs_that_is_none(pairs, message):
    with pytest.raises(GrokinterpError, match=message):
        _ = Task(TaskConfig(p=5, split_scheme="listed", train_pairs=pairs)).split
