"""The released transformers of Chughtai et al. 2023: every number their authors published for them.

For the numbers that the released code gets wrong (the hidden layer in a cyclic group), the corrected ones were computed
independently and are written here; `compat="released"` must give the published ones.
"""

import json

import pytest

from grokinterp.analysis import chughtai_metrics, find_keys, mean_attention
from grokinterp.errors import GrokinterpError
from grokinterp.runs import chughtai_snapshot
from grokinterp.tasks import Task, TaskConfig

# C113: what the totals of the hidden layer are when only what belongs to a frequency is counted to it.
CORRECTED = {
    "total_hidden_excluded_loss": 9.341,
    "total_hidden_restricted_loss": 6.079e-7,
    "percent_hidden_explained": 0.91420,
    "percent_hidden_xy_explained": 0.15942,
    "hidden_excluded_loss_freq_1_rep": 3.03e-7,
}
KEYS = {
    "C113_T_seed1": ("16", "30", "56"),
    "D59_T_seed1": ("sign", "freq 2", "freq 5", "freq 21"),
    "S5_T_seed1": ("(1,1,1,1,1)", "(2,1,1,1)"),
}


@pytest.fixture(scope="module", params=list(KEYS))
def released(request, shared_data):
    folder = shared_data / "chughtai" / request.param
    if not folder.is_dir():
        pytest.skip(f"{request.param} of Chughtai et al. 2023 is not here: set GROKINTERP_SHARED_DATA to its folder")
    return request.param, chughtai_snapshot(folder), json.loads((folder / "summary_metrics.json").read_text())


def test_every_published_number(released):
    name, snapshot, published = released
    found = chughtai_metrics(snapshot, compat="released")
    published.pop("epoch")
    assert set(published) <= set(found)
    for key, value in published.items():
        # Projections on what is not there are rounding: the released ones that of float32.
        assert found[key] == pytest.approx(value, rel=2e-4, abs=5e-8 if "loss" not in key else 0), (name, key)


def test_corrected_numbers(released):
    name, snapshot, published = released
    found = chughtai_metrics(snapshot)
    if name == "C113_T_seed1":
        assert {key: found[key] for key in CORRECTED} == pytest.approx(CORRECTED, rel=2e-3)
        assert found["percent_hidden_explained"] == pytest.approx(0.91420, rel=2e-5)
    hidden = "hidden" if name == "C113_T_seed1" else "no other key is wrong"
    wrong = (hidden, "sum_of_squared_weights", "restricted_loss_ratio", "epoch")
    right = {key: value for key, value in published.items() if not any(word in key for word in wrong)}
    assert {key: found[key] for key in right} == pytest.approx(right, rel=2e-4, abs=5e-8)
    assert found["sum_of_squared_weights"] > 100


def test_key_irreps_are_the_published_ones(released):
    name, snapshot, _ = released
    keys = find_keys(snapshot, "logits")
    names = snapshot.task.structure.basis.irrep_names
    assert tuple(names[irrep] for irrep in keys.chosen) == KEYS[name]
    assert find_keys(snapshot).chosen == keys.chosen
    assert keys.control.share < 1e-4
    assert mean_attention(snapshot).sum(axis=1) == pytest.approx(1.0)


def test_the_rounding_of_other_cyclic_groups_is_not_claimed(tiny_run):
    with pytest.raises(GrokinterpError, match=r"compat = 'released' in Z_7: among cyclic groups .* for Z_113 alone"):
        chughtai_metrics(tiny_run.snapshot(), compat="released")
    with pytest.raises(GrokinterpError, match=r"compat = 'exact': unknown; choose None or 'released'"):
        chughtai_metrics(tiny_run.snapshot(), compat="exact")


def test_released_losses_of_many_pairs_are_eight_times_too_large():
    from grokinterp.analysis._chughtai import _chunks

    small, large = (Task(TaskConfig(operation="compose", group=name, train_fraction=0.4)) for name in ("D59", "A6"))
    for name in ("train_loss", "test_loss", "all_loss", "total_hidden_excluded_loss", "hidden_restricted_loss_x"):
        assert (_chunks(small, name), _chunks(large, name)) == (1, 8)
    assert _chunks(large, "percent_hidden_explained") == 1
