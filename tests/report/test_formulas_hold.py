"""Every formula of a page's glossary, evaluated slowly and by other means, gives what the code gives.

On networks with random weights, where nothing holds by accident: H = relu((E_a + E_b + E_=) W_in + b_in), L = H W_U +
b_U. Projections are least squares on tables of the irreps' matrix entries.
"""

import math
from itertools import product

import numpy as np
import pytest
import torch

from grokinterp.fourier import irreps
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.report._glossary import FORMULAS, formula_key
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import ablate_frequencies, measure_network, replacements
from grokinterp.verdict._evidence import evidence

TASKS = {
    "Z_7": (TaskConfig(p=7, train_fraction=0.5), (1, 2)),
    "units of 7": (TaskConfig(p=7, operation="multiply"), (1, 3)),
    "S3": (TaskConfig(operation="compose", group="S3"), (2,)),
    "D_5": (TaskConfig(operation="compose", group="D5"), (1, 3)),
    "units of 8": (TaskConfig(p=8, operation="multiply"), (1, 2)),
}


class Slow:
    """The network, its group and its functions, by their definitions."""

    def __init__(self, snapshot: Snapshot, keys: tuple[int, ...]) -> None:
        self.snapshot, self.task, self.keys = snapshot, snapshot.task, keys
        structure = snapshot.task.structure
        assert structure
        self.structure, self.group, self.n = structure, structure.group, structure.n
        self.weights = {name: weight.double().numpy() for name, weight in snapshot.weights.items()}
        number = {(a, b): row for row, (a, b) in enumerate(map(tuple, self.task.pairs))}
        elements = product(range(self.n), repeat=2)
        self.rows = [number[structure.inputs_a[g], structure.inputs_b[h]] for g, h in elements]
        self.table = np.array([[self.group.table[g, h] for h in range(self.n)] for g in range(self.n)]).reshape(-1)
        self.own = self.logits_of(self.inputs())

    def inputs(self, W_E: np.ndarray | None = None) -> np.ndarray:
        W_E = self.weights["embed.W_E"] if W_E is None else W_E
        return W_E[self.task.tokens].sum(axis=1) @ self.weights["blocks.0.mlp.W_in"] + self.weights["blocks.0.mlp.b_in"]

    def of_neurons(self, H: np.ndarray) -> np.ndarray:
        return (H @ self.weights["unembed.W_U"] + self.weights["unembed.b_U"])[:, : self.task.n_answers]

    def logits_of(self, u: np.ndarray) -> np.ndarray:
        return self.of_neurons(np.maximum(u, 0))

    def entries(self, chosen: tuple[int, ...]) -> np.ndarray:
        """Column per matrix entry of the irreps, for a cyclic group cos and sin, row per element; 1 first."""
        columns = [np.ones(self.n)]
        for irrep in chosen:
            if self.structure.is_cyclic:
                w = 2 * np.pi * irrep * np.arange(self.n) / self.n
                columns += [np.cos(w), np.sin(w)]
            else:
                matrices = np.asarray(irreps(self.group)[irrep].matrices)
                columns += list(matrices.reshape(self.n, -1).T)
        return np.stack(columns, axis=1)

    def blocks(self, values: np.ndarray, chosen: tuple[int, ...], *, apart: bool = False) -> np.ndarray:
        """Projection over the group's pairs on entries(a) × entries(b), of each irrep apart or of all together."""
        groups = [(irrep,) for irrep in chosen] if apart else [chosen]
        columns = np.concatenate([np.kron(self.entries(some), self.entries(some)) for some in groups], axis=1)
        return columns @ np.linalg.lstsq(columns, values, rcond=1e-9)[0]

    def of_answer(self, values: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
        columns = self.entries(chosen)[self.table]
        return columns @ np.linalg.lstsq(columns, values, rcond=1e-9)[0]

    def waves(self) -> list[np.ndarray]:
        """cos(w_k(s − c)) or χ_ρ(s c⁻¹) over pair and answer in the group, per key."""
        quotients = self.group.table[self.table[:, None], self.group.inverses[None, :]]
        found = []
        for key in self.keys:
            if self.structure.is_cyclic:
                found.append(np.cos(2 * np.pi * key * quotients / self.n))
            else:
                found.append(np.trace(np.asarray(irreps(self.group)[key].matrices), axis1=1, axis2=2)[quotients])
        return found

    def in_group(self, logits: np.ndarray) -> np.ndarray:
        return logits[self.rows][:, self.structure.outputs]


def centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)


def left(L: np.ndarray, other: np.ndarray) -> float:
    return float((centred(other - L) ** 2).sum())


def loss(logits: np.ndarray, answers: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(answers)), answers]))


def right(logits: np.ndarray, answers: np.ndarray) -> float:
    return float((logits.argmax(axis=1) == answers).mean())


def fitted(L: np.ndarray, columns: list[np.ndarray]) -> np.ndarray:
    design = np.stack([column.reshape(-1) for column in columns], axis=1)
    return (design @ np.linalg.lstsq(design, L.reshape(-1), rcond=1e-9)[0]).reshape(L.shape)


def patterns(slow: Slow, kind: str) -> list[np.ndarray]:
    i, j = np.divmod(np.arange(slow.n**2), slow.n)
    found = []
    for key, wave in zip(slow.keys, slow.waves(), strict=True):
        w = 2 * np.pi * key / slow.n
        clock, pizza, accompanying = np.ones(len(i)), np.abs(np.cos(w * (i - j) / 2)), np.cos(w * (i - j))
        amplitudes = {"clock": [clock], "pizza": [pizza, accompanying], "mixed": [clock, pizza, accompanying]}[kind]
        found += [amplitude[:, None] * wave for amplitude in amplitudes]
    return found


def recovered(loss_of: float, own: float, n: int) -> float:
    return (math.log(n) - loss_of) / (math.log(n) - own)


def by_formula(slow: Slow) -> dict[str, float]:
    """The formulas of the rows, by their names."""
    task, n, table, own = slow.task, slow.n, slow.table, slow.own
    L, E, W_L = centred(slow.in_group(own)), slow.weights["embed.W_E"], slow.weights["unembed.W_U"].T
    found = {
        "train_accuracy": right(own[task.split.train], task.answers[task.split.train]),
        "test_accuracy": right(own[task.split.test], task.answers[task.split.test]),
        "all_accuracy": right(own, task.answers),
    }
    for name, matrix in (
        ("embedding_in_keys", E[slow.structure.inputs_a]),
        ("W_L_in_keys", W_L[slow.structure.outputs]),
    ):
        kept = slow.entries(slow.keys)
        part = kept @ np.linalg.lstsq(kept, matrix - matrix.mean(axis=0), rcond=1e-9)[0]
        found[name] = float((part**2).sum() / ((matrix - matrix.mean(axis=0)) ** 2).sum())
    H = np.maximum(slow.inputs(), 0)[slow.rows]
    irreps_of_group = range(1, len(slow.structure.basis.irrep_names))
    shares = np.stack([((slow.blocks(H, (k,)) - H.mean(axis=0)) ** 2).sum(axis=0) for k in irreps_of_group])
    shares = shares / ((H - H.mean(axis=0)) ** 2).sum(axis=0)
    of_keys = shares[[key - 1 for key in slow.keys]].max(axis=0)
    found["clustered_neurons"] = float((of_keys >= 0.85).mean())
    if slow.structure.is_cyclic:
        for kind, name in (("mixed", "logits_by_circles"), ("clock", "logits_as_clock"), ("pizza", "logits_as_pizza")):
            account = fitted(L, patterns(slow, kind))
            found[name] = 1 - left(L, account) / float((L**2).sum())
            if kind == "mixed":
                found["loss_by_circles"] = recovered(loss(account, table), loss(L, table), n)
                found["answers_by_circles"] = right(account, table)
        if not slow.structure.inverts_b:
            found["averaged_embeddings"] = 1.0  # The mean of both, in both places, has the same sum.
        found |= of_circles(slow, L)
        found |= distance(slow)
    else:
        characters = fitted(L, slow.waves())
        found["logits_by_characters"] = 1 - left(L, characters) / float((L**2).sum())
        u, everywhere = slow.inputs(), slow.inputs()
        everywhere[slow.rows] = u[slow.rows].mean(axis=0)
        blind = slow.logits_of(everywhere)
        for name, seen in (
            ("irreps", slow.blocks(u[slow.rows], slow.keys)),
            ("cosets", over_cosets(slow, u[slow.rows])),
        ):
            everywhere = slow.inputs()
            everywhere[slow.rows] = seen
            account = slow.logits_of(everywhere)
            found[f"neurons_by_{name}"] = 1 - left(own, account) / left(own, blind)
            found[f"loss_by_{name}"] = recovered(loss(account, task.answers), loss(own, task.answers), task.n_answers)
            found[f"answers_by_{name}"] = right(account, task.answers)
    return found


def over_cosets(slow: Slow, u: np.ndarray) -> np.ndarray:
    """Every neuron's input averaged over Ha × bK, H and K those on whose cosets its parts vary least."""
    n, grid = slow.n, u.reshape(slow.n, slow.n, -1)
    subgroups = [H for H in slow.group.subgroups() if 1 < H.order < n]
    averaged = np.empty_like(grid)
    for m in range(grid.shape[2]):
        best = []
        for part, side in ((grid[:, :, m].mean(axis=1), "right"), (grid[:, :, m].mean(axis=0), "left")):
            cosets = [slow.group.cosets(H, side) for H in subgroups]
            spread = [sum(part[of == c].var(ddof=1) for c in set(of.tolist())) / part.var(ddof=1) for of in cosets]
            best.append(cosets[int(np.argmin(spread))])
        for g, h in product(range(n), repeat=2):
            averaged[g, h, m] = grid[np.ix_(best[0] == best[0][g], best[1] == best[1][h])][:, :, m].mean()
    return averaged.reshape(u.shape)


def amplitude(slow: Slow, L: np.ndarray, place: int) -> np.ndarray:
    """f_k(d): what the logits at the distance d hold of cos(w_k(s − c))."""
    i, j = np.divmod(np.arange(slow.n**2), slow.n)
    wave = slow.waves()[place]
    return np.array(
        [(L * wave)[(i - j) % slow.n == d].sum() / (wave**2)[(i - j) % slow.n == d].sum() for d in range(slow.n)]
    )


def of_circles(slow: Slow, L: np.ndarray) -> dict[str, float]:
    clockness, alone, shares, e_of = [], [], [], []
    W_E = slow.weights["embed.W_E"]
    for place, key in enumerate(slow.keys):
        kept, changed = slow.entries((key,)), W_E.copy()
        rows = slow.structure.inputs_a
        changed[rows] = kept @ np.linalg.lstsq(kept, W_E[rows], rcond=1e-9)[0]
        f = amplitude(slow, centred(slow.in_group(slow.logits_of(slow.inputs(changed)))), place)
        whole = amplitude(slow, L, place)
        c = np.abs(np.cos(np.pi * key * np.arange(slow.n) / slow.n))
        columns = np.stack([np.ones(slow.n), c, c - c**2], axis=1)
        fits = [np.linalg.lstsq(columns[:, :width], f, rcond=1e-9)[0] for width in (2, 3)]
        left = [((f - columns[:, : len(fit)] @ fit) ** 2).sum() for fit in fits]
        # The third term where it leaves a tenth of what is left without it, on a circle of six points or more.
        better = slow.n // math.gcd(slow.n, key) >= 6 and left[1] < 0.1 * left[0]
        o, slope, *_ = fits[1] if better else fits[0]
        e_of.append(o + slope)
        clockness.append(np.clip(o / (o + slope), 0, 1))
        alone.append(np.clip(f.mean() / whole.mean(), 0, 1) if whole.mean() > 0 else 0.0)
        columns = patterns(slow, "mixed")[3 * place : 3 * place + 3]
        shares.append((fitted(L, columns) ** 2).sum() / (L**2).sum())
    found = {"works_alone": float(np.dot(shares, alone) / np.sum(shares))}
    there = np.array(e_of) > 0
    if there.any():
        found["clock_share"] = float(
            np.dot(np.array(shares)[there], np.array(clockness)[there]) / np.array(shares)[there].sum()
        )
    return found


def distance(slow: Slow) -> dict[str, float]:
    if slow.n % 2 == 0:
        return {}
    M = np.empty((slow.n, slow.n))
    for (g, h), row in zip(product(range(slow.n), repeat=2), slow.rows, strict=True):
        M[(g + h) % slow.n, (g - h) % slow.n] = slow.own[row, slow.task.answers[row]]
    return {"distance_irrelevance": float(np.mean(M.std(axis=0)) / M.std())}


def gradients(slow: Slow) -> float:
    """Mean over all triples of the cosine of the gradients in E_a and E_b, a triple at a time."""
    task = slow.task
    weights = {name: torch.from_numpy(weight) for name, weight in slow.weights.items()}
    cosines = []
    for row in range(task.n_pairs):
        a, b = (int(task.tokens[row, task.positions.index(letter)]) for letter in "ab")
        E_a, E_b = (weights["embed.W_E"][token].clone().requires_grad_() for token in (a, b))
        u = (E_a + E_b + weights["embed.W_E"][-1]) @ weights["blocks.0.mlp.W_in"] + weights["blocks.0.mlp.b_in"]
        logits = torch.relu(u) @ weights["unembed.W_U"] + weights["unembed.b_U"]
        for c in range(task.n_answers):
            of_a, of_b = torch.autograd.grad(logits[c], (E_a, E_b), retain_graph=True)
            if of_a.norm() > 0 or of_b.norm() > 0:
                cosines.append(float(torch.cosine_similarity(of_a, of_b, dim=0)))
    return float(np.mean(cosines))


def of_parts(slow: Slow) -> dict[str, float]:
    """ℓ(L') of the replacements and of the removals from the logits and the neurons."""
    task, rows, keys = slow.task, slow.rows, slow.keys
    answers, own, H = task.answers[rows], slow.own[rows], np.maximum(slow.inputs(), 0)[rows]
    outside = np.setdiff1d(np.arange(task.n_answers), slow.structure.outputs)
    inside = centred(slow.in_group(slow.own))
    characters = np.zeros_like(own)
    characters[:, slow.structure.outputs] = fitted(inside, slow.waves())
    characters[:, outside] = own[:, outside] - own[:, slow.structure.outputs].mean(axis=1, keepdims=True)
    W_L = slow.weights["unembed.W_U"].T[slow.structure.outputs]
    kept = slow.entries(keys)
    rows_of_W_L = kept[:, 1:].T @ W_L
    _, values, directions = np.linalg.svd(rows_of_W_L, full_matrices=False)
    Q = directions[values > 1e-6 * values[0]].T
    W_E = slow.weights["embed.W_E"]

    def with_embedding(kept: np.ndarray | None) -> np.ndarray:
        elements, changed = slow.structure.inputs_a, W_E.copy()
        own_keys = slow.entries(keys)
        projected = own_keys @ np.linalg.lstsq(own_keys, W_E[elements], rcond=1e-9)[0]
        mean = W_E[elements].mean(axis=0)
        changed[elements] = projected if kept is None else W_E[elements] - projected + mean
        return slow.logits_of(slow.inputs(changed))[rows]

    logits = {
        "loss_characters": characters,
        "loss_answer_functions": slow.of_answer(own, keys),
        "loss_blocks": slow.blocks(own, keys, apart=True),
        "loss_W_L_directions": slow.of_neurons(H @ Q @ Q.T),
        "loss_W_L_null_space": slow.of_neurons(H - H @ Q @ Q.T),
        "loss_embedding_keys": with_embedding(None),
        "loss_embedding_without_keys": with_embedding(kept),
        "loss_without_key_logits": own - (slow.of_answer(own, keys) - own.mean(axis=0)),
        "loss_without_key_neurons": slow.of_neurons(H - (slow.of_answer(H, keys) - H.mean(axis=0))),
        "loss_without_all_but_the_key_logits": slow.of_answer(own, keys),
    }
    return {name: loss(value, answers) for name, value in logits.items()}


@pytest.mark.parametrize("name", TASKS)
def test_every_formula_gives_what_the_code_gives(name: str) -> None:
    config, keys = TASKS[name]
    task = Task(config)
    model = ModelConfig(architecture="mlp", d_model=6, d_mlp=9, outputs="answers")
    weights = initial_weights(model, task)
    generator = torch.Generator().manual_seed(3)
    weights = {key: weight + 0.6 * torch.randn(weight.shape, generator=generator) for key, weight in weights.items()}
    snapshot = Snapshot(0, task, model, weights)
    slow = Slow(snapshot, keys)
    np.testing.assert_allclose(slow.own, snapshot.logits, atol=1e-4)
    measured = measure_network(snapshot, keys)
    rows = {row.name: row.value for row in evidence(measured, {}, task.structure)}
    expected = by_formula(slow)
    if "gradient_symmetricity" in rows:
        expected["gradient_symmetricity"] = gradients(slow)
    assert rows.keys() <= expected.keys()
    for row, value in rows.items():
        assert value == pytest.approx(expected[row], abs=2e-4, rel=2e-4), (row, FORMULAS[formula_key(row)].formula)
    parts = {f"loss_{part.name}": part.loss for part in replacements(snapshot, keys)}
    removed = {(part.part, part.how): part.loss for part in ablate_frequencies(snapshot, keys)}
    words = task.structure.irrep_words
    for how in ("logits", "neurons"):
        parts[f"loss_without_key_{how}"] = removed[f"key {words}", how]
    parts["loss_without_all_but_the_key_logits"] = removed[f"all but the key {words}", "logits"]
    for row, value in of_parts(slow).items():
        assert parts[row] == pytest.approx(value, abs=2e-4, rel=2e-4), row


def test_the_old_denominator_of_neurons_by_irreps_would_be_another_number() -> None:
    """What bypasses the neurons is in L̃ and not in L̃₀ − L̃: with a large constant part the two differ."""
    config, keys = TASKS["S3"]
    task, model = Task(config), ModelConfig(architecture="mlp", d_model=6, d_mlp=9, outputs="answers")
    weights = initial_weights(model, task)
    snapshot = Snapshot(0, task, model, weights | {"unembed.b_U": 5 * torch.arange(6.0)})
    share = measure_network(snapshot, keys).accounts["irrep"].explained
    slow = Slow(snapshot, keys)
    account = slow.logits_of(slow.blocks(slow.inputs(), keys))
    assert share == pytest.approx(by_formula(slow)["neurons_by_irreps"], abs=1e-4)
    assert abs(share - (1 - left(slow.own, account) / float((centred(slow.own) ** 2).sum()))) > 0.01
