import random

import numpy as np
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.tasks import Task, TaskConfig, make_split


@pytest.mark.parametrize("p", [2, 3, 7, 10])
def test_tables_agree_with_python_arithmetic(p):
    add, subtract = Task(TaskConfig(p=p)), Task(TaskConfig(p=p, operation="subtract"))
    for a in range(p):
        for b in range(p):
            assert add.table[a, b] == (a + b) % p == add.answers[a * p + b]
            assert subtract.table[a, b] == (a - b) % p


def test_tokens_are_a_b_equals_and_row_a_p_plus_b():
    task = Task(TaskConfig(p=11))
    assert task.tokens.shape == (121, 3)
    assert task.tokens.is_contiguous()
    assert task.tokens[4 * 11 + 9].tolist() == [4, 9, 11]


def test_nanda_split_is_the_published_one():
    split = Task(TaskConfig()).split
    pairs = [divmod(int(pair), 113) for pair in (*split.train[:3], split.train[-1], split.test[0])]
    assert pairs == [(18, 34), (10, 83), (55, 28), (65, 24), (50, 67)]
    assert (len(split.train), len(split.test), split.hash) == (3830, 8939, "41c3ede59359edee")


@pytest.mark.parametrize(
    ("seed", "fraction", "n_train", "digest"), [(1, 0.3, 3830, "ab77910573740b2c"), (0, 0.9, 11492, "d4b3196295ba03c2")]
)
def test_other_nanda_splits_are_the_published_ones(seed, fraction, n_train, digest):
    split = Task(TaskConfig(split_seed=seed, train_fraction=fraction)).split
    assert (len(split.train), split.hash) == (n_train, digest)


def test_transformer_lens_split_is_the_published_one():
    split = Task(TaskConfig(split_scheme="torch", split_seed=598)).split
    pairs = [divmod(int(pair), 113) for pair in (*split.train[:5], *split.test[:5])]
    assert pairs[:5] == [(21, 31), (30, 98), (47, 10), (86, 21), (99, 83)]
    assert pairs[5:] == [(43, 40), (31, 42), (39, 63), (35, 61), (112, 102)]


@pytest.mark.parametrize("scheme", ["nanda", "torch"])
def test_a_split_uses_every_pair_once_and_leaves_random_state_alone(scheme):
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    split = make_split(scheme, n_pairs=100, train_fraction=0.37, seed=5)
    assert sorted([*split.train, *split.test]) == list(range(100))
    assert len(split.train) == 37
    assert split.train_mask.sum() == 37
    assert random.getstate() == python_state
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_the_hash_depends_on_the_set_alone():
    split = make_split("nanda", n_pairs=100, train_fraction=0.3, seed=0)
    reordered = type(split)(train=np.sort(split.train), test=np.sort(split.test))
    assert reordered.hash == split.hash
    assert make_split("nanda", n_pairs=100, train_fraction=0.3, seed=1).hash != split.hash


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"p": 1}, r"task\.p = 1: needs ≥ 2"),
        ({"p": 0}, r"task\.p = 0: needs ≥ 2"),
        ({"p": -5}, r"task\.p = -5: needs ≥ 2"),
        ({"p": 3000}, r"task\.p = 3000: needs ≤ 2000"),
        ({"p": 2.5}, r"task\.p = 2\.5: needs an integer"),
        ({"p": "many"}, r"task\.p = 'many': needs an integer"),
        ({"operation": "exponent"}, r"task\.operation = 'exponent': unknown; choose one of add, subtract, mul"),
        ({"train_fraction": 1.0}, r"task\.train_fraction = 1\.0: needs < 1"),
        ({"train_fraction": float("nan")}, r"task\.train_fraction = nan: needs a finite number"),
        ({"split_sceme": "nanda"}, r"task\.split_sceme: unknown key; did you mean task\.split_scheme\? Known keys: op"),
    ],
)
def test_bad_configuration_names_the_users_own_input(values, message):
    with pytest.raises(GrokinterpError, match=message):
        TaskConfig(**values)


def test_a_split_without_training_pairs_is_refused():
    with pytest.raises(
        GrokinterpError, match=r"train_fraction = 0\.1 of 4 pairs leaves 0 for training and 4 for testing"
    ):
        _ = Task(TaskConfig(p=2, train_fraction=0.1)).split
