"""How amplitudes hang on the distance, against closed forms and a slow oracle."""

import numpy as np
import pytest

from grokinterp.analysis import Places, decompose_logits
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import amplitude_by_distance, fit_pattern

TASKS = [
    TaskConfig(p=7),
    TaskConfig(p=8),
    TaskConfig(p=9, operation="subtract"),
    TaskConfig(p=7, operation="multiply"),
    TaskConfig(p=11, operation="divide"),
    TaskConfig(operation="compose", group="Z3xZ5"),
]


def elements(task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The elements i, j and the answer's of every pair, −1 outside the group, looked up one by one."""
    structure = task.structure

    def place(of: np.ndarray, symbol: int) -> int:
        return of.tolist().index(symbol) if symbol in of else -1

    i = np.array([place(structure.inputs_a, a) for a, _ in task.pairs])
    j = np.array([place(structure.inputs_b, b) for _, b in task.pairs])
    return i, j, np.array([place(structure.outputs, answer) for answer in task.answers])


def logits_of(task: Task, freq: int, amplitude: np.ndarray) -> np.ndarray:
    """amplitude[d] cos(w(s − c)) over all pairs, zero outside the group."""
    structure, (i, j, s) = task.structure, elements(task)
    n = structure.n
    logits = np.zeros((task.n_pairs, task.n_answers))
    inside = (i >= 0) & (j >= 0)
    angle = 2 * np.pi * freq * (s[inside, None] - np.arange(n)) / n
    values = np.zeros((inside.sum(), task.n_answers))
    values[:, structure.outputs] = amplitude[(i - j)[inside] % n][:, None] * np.cos(angle)
    logits[inside] = values
    return logits


@pytest.mark.parametrize("config", TASKS, ids=lambda config: f"{config.operation} {config.group or config.p}")
def test_any_amplitude_is_read_back_whatever_the_task_calls_its_elements(config):
    task = Task(config)
    places, n = Places.of(task), task.structure.n
    for freq in range(1, n // 2 + 1):
        amplitude = np.random.default_rng(freq).normal(size=n)
        logits = logits_of(task, freq, amplitude) + 3.0  # The mean over c is nothing to the softmax.
        assert amplitude_by_distance(logits, places, freq) == pytest.approx(amplitude, abs=1e-9)
        other = freq % (n // 2) + 1
        assert other == freq or amplitude_by_distance(logits, places, other) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("config", TASKS, ids=lambda config: f"{config.operation} {config.group or config.p}")
def test_a_clocks_share_is_that_of_the_cosine_decomposition(config):
    task = Task(config)
    places = Places.of(task)
    logits = np.random.default_rng(0).normal(size=(task.n_pairs, task.n_answers))
    share = decompose_logits(logits, places, ()).share
    if task.structure.n < task.n_answers:
        pytest.skip("decompose_logits weighs answers, which differs where pairs lie outside the group")
    fit = fit_pattern(logits, places, range(1, task.structure.n // 2 + 1), "clock")
    assert [fit.by_freq[freq] for freq in fit.by_freq] == pytest.approx(share[1:].tolist(), abs=1e-12)


@pytest.mark.parametrize("kind", ["clock", "pizza", "mixed"])
def test_patterns_leave_the_residual_of_least_squares_over_the_whole_cube(kind):
    task = Task(TaskConfig(p=7))
    places = Places.of(task)
    logits = np.random.default_rng(1).normal(size=(task.n_pairs, 7))
    fit = fit_pattern(logits, places, (1, 3), kind)
    i, j, c = np.indices((7, 7, 7)).reshape(3, -1)
    columns = []
    for freq in (1, 3):
        wave = np.cos(2 * np.pi * freq * (i + j - c) / 7)
        shapes = {
            "clock": [1.0],
            "pizza": [np.abs(np.cos(np.pi * freq * (i - j) / 7)), np.cos(2 * np.pi * freq * (i - j) / 7)],
        }
        shapes["mixed"] = shapes["clock"] + shapes["pizza"]
        columns += [shape * wave for shape in shapes[kind]]
    matrix = np.stack(columns, axis=1)
    centred = (logits - logits.mean(axis=1, keepdims=True)).ravel()
    fitted = matrix @ np.linalg.lstsq(matrix, centred, rcond=None)[0]
    assert fit.logits.ravel() == pytest.approx(fitted, abs=1e-9)
    assert fit.explained == pytest.approx(1 - ((centred - fitted) ** 2).sum() / (centred**2).sum(), abs=1e-12)


def test_constant_logits_have_no_amplitude():
    task = Task(TaskConfig(p=7))
    fit = fit_pattern(np.ones((49, 7)), Places.of(task), (1, 2, 3), "mixed")
    assert fit.explained == pytest.approx(0, abs=1e-9)
