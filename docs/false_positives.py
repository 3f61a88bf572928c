"""How often nothing is called something: helices, sparse probes and key irreps on data that hold none.

`python docs/false_positives.py` prints the table of docs/howto/fourier.md and docs/verdict.md, from 200 draws of a kind
(or as many as the first argument says).
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np
import torch

from grokinterp.analysis import find_keys
from grokinterp.fourier import fit_helix
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import sparse_probes

VALUES, PERIODS, DIMENSIONS = np.arange(100.0), (2, 5, 10, 100), 8
Draw = Callable[[np.random.Generator], np.ndarray]


def _noise(rng: np.random.Generator, size: float = 1.0) -> np.ndarray:
    return size * rng.normal(size=(len(VALUES), DIMENSIONS))


def _curve(function: Callable[[np.ndarray], np.ndarray], noise: float = 0.1) -> Draw:
    """A function of the value along a random direction, on unit scale, with noise beside it."""
    y = function(VALUES)
    y = (y - y.mean()) / y.std()
    return lambda rng: np.outer(y, rng.normal(size=DIMENSIONS)) + _noise(rng, noise)


def _smooth(length: float) -> Draw:
    """A Gaussian process with a squared-exponential kernel."""
    kernel = np.exp(-0.5 * ((VALUES[:, None] - VALUES) / length) ** 2)
    root = np.linalg.cholesky(kernel + 1e-9 * np.eye(len(VALUES)))
    return lambda rng: root @ _noise(rng)


def _autoregressive(rate: float) -> Draw:
    def draw(rng: np.random.Generator) -> np.ndarray:
        x, steps = np.empty((len(VALUES), DIMENSIONS)), _noise(rng)
        x[0] = steps[0] / np.sqrt(1 - rate**2)
        for i in range(1, len(x)):
            x[i] = rate * x[i - 1] + steps[i]
        return x

    return draw


def _steps(rng: np.random.Generator) -> np.ndarray:
    """A direction of its own for every tens digit."""
    return rng.normal(size=(10, DIMENSIONS))[(VALUES // 10).astype(int)] + _noise(rng, 0.1)


def _one_step(rng: np.random.Generator) -> np.ndarray:
    return _curve(lambda a: (a > rng.uniform(5, 95)).astype(float))(rng)


HELIX_NULLS: dict[str, Draw] = {
    "white noise": _noise,
    "random walk": lambda rng: _noise(rng).cumsum(axis=0),
    "integrated random walk": lambda rng: _noise(rng).cumsum(axis=0).cumsum(axis=0),
    **{f"smooth, length {length}": _smooth(length) for length in (2, 5, 10, 20, 50)},
    **{f"AR(1), {rate}": _autoregressive(rate) for rate in (-0.5, 0.5, 0.9)},
    "linear": _curve(lambda a: a),
    "linear, exact": _curve(lambda a: a, noise=0.0),
    "quadratic": _curve(lambda a: a**2 - 60 * a),
    "logarithm": _curve(np.log1p),
    "logarithm, exact": _curve(np.log1p, noise=0.0),
    "exponential": _curve(lambda a: np.exp(a / 20)),
    "tens digit": _curve(lambda a: a // 10),
    "tens digit, exact": _curve(lambda a: a // 10, noise=0.0),
    "tens digit, any directions": _steps,
    "number of digits": _curve(lambda a: (a > 9).astype(float)),
    "one step": _one_step,
    "sawtooth of period 7": _curve(lambda a: a % 7),
    "sawtooth of period 13": _curve(lambda a: a % 13),
    "sawtooth of period 37": _curve(lambda a: a % 37),
}


def helix_rates(draws: int, kinds: dict[str, Draw] | None = None) -> Iterator[tuple[str, float, float]]:
    """Per kind, how often `is_helix`, and how often the helix foretells unseen values beyond all permutations."""
    for kind, draw in (kinds or HELIX_NULLS).items():
        called = believed = 0
        for seed in range(draws):
            fit = fit_helix(draw(np.random.default_rng(seed)), VALUES, PERIODS, seed=seed)
            called += fit.is_helix is True
            believed += fit.cross_validated > max(fit.permuted_max, 0)
        yield kind, called / draws, believed / draws


def network(seed: int, *, random_answers: bool = False) -> Snapshot:
    """Untrained, or one that gives every pair an answer drawn at random, with certainty."""
    task = Task(TaskConfig(p=23))
    config = ModelConfig(n_heads=2, d_head=8, d_model=16, d_mlp=32, seed=seed)
    snapshot = Snapshot(0, task, config, initial_weights(config, task))
    if random_answers:
        answers = torch.from_numpy(np.random.default_rng(seed).integers(23, size=task.n_pairs))
        snapshot.__dict__["logits"] = 10 * torch.nn.functional.one_hot(answers, 23).float().numpy()
    return snapshot


def key_rates(draws: int) -> Iterator[tuple[str, float]]:
    """Per kind of network, how often a frequency is above chance by `KeyIrreps.logits`."""
    for kind, random_answers in (("untrained", False), ("random answers", True)):
        named = [find_keys(network(seed, random_answers=random_answers)).by_rule.logits for seed in range(draws)]
        yield kind, float(np.mean([bool(keys) for keys in named]))


def probe_rates(draws: int) -> Iterator[tuple[str, float, float, float, float]]:
    """Per place and target of untrained networks, how often probes reach R² .1, .5, .9, and their control + .1."""
    best: dict[str, list[tuple[float, float]]] = {}
    for seed in range(draws):
        found = sparse_probes(network(seed), (1 + seed % 11,), seed=seed)
        for (place, target, k), path in found.paths.items():
            pair = (path.best_r2, found.shuffled[place, target, k].best_r2)
            best.setdefault(f"{target} from {place}", []).append(pair)
    for name, pairs in best.items():
        r2, control = np.array(pairs).T
        yield name, *(float((r2 >= bound).mean()) for bound in (0.1, 0.5, 0.9)), float((r2 > control + 0.1).mean())


def main() -> None:
    write = sys.stdout.write
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    write("| kind | `is_helix` | R² of unseen values > all permutations |\n|---|---|---|\n")
    for kind, called, believed in helix_rates(draws):
        write(f"| {kind} | {called:.1%} | {believed:.1%} |\n")
    write("\n| network | a frequency above chance |\n|---|---|\n")
    for kind, rate in key_rates(draws):
        write(f"| {kind} | {rate:.1%} |\n")
    write("\n| probe | R² ≥ .1 | R² ≥ .5 | R² ≥ .9 | R² > control + .1 |\n|---|---|---|---|---|\n")
    for name, *rates in probe_rates(draws):
        write(f"| {name} | {' | '.join(f'{rate:.1%}' for rate in rates)} |\n")


if __name__ == "__main__":
    main()
