"""Neurons that look pairs up, of elements or of cosets, and networks that hold nothing of a group."""

import numpy as np
from circuit_carriers import Array, Neurons, carried
from circuit_circles import circle
from exact_network import exact_snapshot

from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig


def one_hot(n: int, modulus: int) -> Array:
    """[n, modulus]: which coset of the multiples of `modulus` an element lies in."""
    return np.eye(modulus)[np.arange(n) % modulus]


def indicator_neurons(width: int, place: int, write: Array) -> Neurons:
    """m² neurons relu(1[a ≡ i] + 1[b ≡ j] − 1) mod m, which read features place … place + m − 1; write: [i, j, c]."""
    m, _, n = write.shape
    i, j = np.indices((m, m)).reshape(2, -1)
    read_a, read_b = np.zeros((2, width, m * m))
    read_a[place + i, np.arange(m * m)] = 1.0
    read_b[place + j, np.arange(m * m)] = 1.0
    return Neurons(read_a, read_b, np.full(m * m, -1.0), write.reshape(m * m, n))


def sum_table(m: int, of_sum: Array) -> Array:
    """[i, j, c] of a table over i + j mod m: [m, c]."""
    return of_sum[np.add.outer(np.arange(m), np.arange(m)) % m]


def bump_neurons(n: int, width: int, place: int, freq: int, reach: float, amplitude: float) -> Neurons:
    """m² neurons relu(cos(w a − u_i) + cos(w b − u_j) − θ) that write to c a multiple of cos(u_i + u_j − w c).

    They read one circle, at m angles u_i = 2πi/m, and are active where a and b lie near them: θ is what is read where
    one lies `reach` angles off. What they make is amplitude · cos w(s − c), exactly where m = n: a convolution. From n
    = 36 on m is about n/2.
    """
    m = n if n <= 35 else (n + 1) // 2
    u = 2 * np.pi * np.arange(m) / m
    threshold = 1 + np.cos(2 * np.pi / m * reach)
    i, j = np.indices((m, m)).reshape(2, -1)
    read_a, read_b = np.zeros((2, width, m * m))
    read_a[place], read_a[place + 1] = np.cos(u[i]), np.sin(u[i])
    read_b[place], read_b[place + 1] = np.cos(u[j]), np.sin(u[j])
    # The transform of a bump over all angles at which it may lie.
    x = 2 * np.pi * np.arange(16 * m) / (16 * m)
    near = np.maximum(np.cos(x)[:, None] + np.cos(x) - threshold, 0)
    gain = float((near * np.cos(np.add.outer(x, x))).sum()) / (16 if m < n else 1) ** 2
    if m == n:
        near = np.maximum(np.cos(u)[:, None] + np.cos(u) - threshold, 0)
        gain = float((near * np.cos(np.add.outer(u, u))).sum())
    code = np.stack([np.cos(u[i] + u[j]), np.sin(u[i] + u[j])])
    write = amplitude / gain * (circle(n, freq) @ code).T
    return Neurons(read_a, read_b, np.full(m * m, -threshold), write)


def random_network(n: int, random: np.random.Generator) -> Snapshot:
    """As it was before any training."""
    kind = str(random.choice(["transformer", "mlp"]))
    task = Task(TaskConfig(p=n, equals_token=kind == "transformer", train_fraction=0.5))
    config = ModelConfig(
        architecture=kind, d_model=32, n_heads=4, d_head=8, d_mlp=64, outputs="answers",
        seed=int(random.integers(2**31)),
    )  # fmt: skip
    return Snapshot(0, task, config, initial_weights(config, task))


def memorised(n: int, random: np.random.Generator, share: float = 0.3) -> Snapshot:
    """A table that is right on `share` of the pairs and answers at random on the others."""
    task = Task(TaskConfig(p=n, train_fraction=0.5))
    answers = task.answers.copy()
    wrong = random.permutation(task.n_pairs)[round(share * task.n_pairs) :]
    answers[wrong] = (answers[wrong] + random.integers(1, n, size=len(wrong))) % n
    return exact_snapshot(task, random.uniform(5, 15) * np.eye(n)[answers])


def relabelled(n: int, random: np.random.Generator) -> Snapshot:
    """A table of the right answers under a random permutation of their names."""
    task = Task(TaskConfig(p=n, train_fraction=0.5))
    return exact_snapshot(task, random.uniform(5, 15) * np.eye(n)[random.permutation(n)[task.answers]])


def regression(n: int, random: np.random.Generator) -> Snapshot:
    """The logit of c is −(a + b − c)²/T, without a modulus: right where a + b < n, and on no circle.

    Up to what is the same for all c that is 2(a + b)c/T − c²/T, read by one neuron.
    """
    c, temperature = np.arange(n), random.uniform(0.5, 2.0)
    read = np.ones((1, 1))
    neurons = Neurons(read, read, np.zeros(1), 2 * c[None] / temperature)
    return carried(neurons, np.arange(n)[:, None], "concatenation", b_U=-(c**2) / temperature)


def smooth_field(n: int, random: np.random.Generator) -> Snapshot:
    """A table of smooth functions of a and b, another one for each answer, with no relation to a + b."""
    a, b = np.indices((n, n)) / n
    waves = [np.cos(2 * np.pi * (i * a + j * b)) for i in range(3) for j in range(3) if i or j]
    waves += [np.sin(2 * np.pi * (i * a + j * b)) for i in range(3) for j in range(3) if i or j]
    logits = np.tensordot(random.normal(size=(n, len(waves))), np.stack(waves), axes=1)
    return exact_snapshot(n, np.moveaxis(logits, 0, -1).reshape(n * n, n))
