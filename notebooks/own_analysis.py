# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # An analysis of your own
#
# All of grokinterp's analyses have one form: a *pure function* from a `Snapshot` (one checkpoint evaluated on all
# pairs) to a *frozen result*, and a *figure function* from results to a figure. You will write one such pair, with a
# control, run it over all checkpoints of a small network, and put its figure on a page with the package's own.
#
# The question: addition commutes, a + b = b + a. Nobody told the network. Does it know, and from when on?
#
# Needed: `pip install grokinterp jupyter`. The training takes some seconds.

# %%
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import plotly.io
from jaxtyping import Float, Int

import grokinterp
from grokinterp.report import PageFigure, write_report
from grokinterp.runs import RunConfig, Snapshot

plotly.io.renderers.default = "plotly_mimetype"

# %%
settings = ["task.p=23", "task.train_fraction=0.8", "training.weight_decay=2.0", "training.learning_rate=0.003"]
settings += ["model.seed=1", "training.steps=500", "training.checkpoint_every=20"]
config = RunConfig().with_settings(settings)
run = grokinterp.train(config, "runs/commutes", resume=True, progress=False)
report = grokinterp.analyze(run)
report.finding[0]

# %% [markdown]
# ## 1. A measurement: `Snapshot` in, frozen result out
#
# What a snapshot offers: `logits` (pair × answer), `neurons` (pair × neuron), `pattern` (attention), `weight(name)`,
# `activation(hook)` for any hook, and `task` with `pairs`, `answers` and the split. Row a·p + b is the pair (a, b).

# %%
snapshot = run.snapshot()
snapshot.logits.shape, snapshot.neurons.shape, snapshot.pattern.shape, snapshot.task.pairs[24].tolist()

# %% [markdown]
# Split the logits L(a, b) into a part that stays the same when a and b change places and a part that changes sign, A =
# (L(a, b) − L(b, a)) / 2. The measure is the share of the variance in A: 0 for a network that commutes. Before any
# share of variance, subtract the mean over the answers, which the softmax does not see.
#
# The **control** tells what the number would be if the network knew nothing of the symmetry: compare L(a, b) not with
# L(b, a) but with the logits of a pair drawn at random.


# %%
@dataclass(frozen=True, eq=False)
class Commutation:
    """How far a network's logits for (a, b) and (b, a) differ.

    - `asymmetry`: ‖A‖² / ‖L‖², the share of the centred logits that changes sign when a and b change places.
    - `control`: the same with random partners in place of (b, a).
    """

    step: int
    asymmetry: float
    control: float


def odd_share(logits: Float[np.ndarray, "pair answer"], partners: Int[np.ndarray, " pair"]) -> float:
    """The share of the centred logits' sum of squares in half the difference to each pair's partner."""
    centred = logits.astype(np.float64) - logits.mean(axis=1, keepdims=True, dtype=np.float64)
    return float(np.square((centred - centred[partners]) / 2).sum() / np.square(centred).sum())


def commutation(snapshot: Snapshot, *, seed: int = 0) -> Commutation:
    """Compare every pair with its mirror image, and with a random one."""
    a, b = snapshot.task.pairs.T
    mirrored = b * snapshot.task.n_symbols + a
    random = np.random.default_rng(seed).permutation(len(mirrored))
    return Commutation(snapshot.step, odd_share(snapshot.logits, mirrored), odd_share(snapshot.logits, random))


commutation(snapshot)

# %% [markdown]
# Before you believe a measure, try it where you know the answer: logits that are a function of a + b have no odd part,
# and for logits that are random numbers a mirror image is as good as a random partner, so about a half is left.

# %%
a, b = run.task.pairs.T
ideal = np.cos(2 * np.pi * 3 * ((a + b)[:, None] - np.arange(23)) / 23)
noise = np.random.default_rng(0).normal(size=ideal.shape)
{name: round(odd_share(logits, b * 23 + a), 3) for name, logits in {"ideal": ideal, "noise": noise}.items()}

# %% [markdown]
# ## 2. Over training

# %%
history = [commutation(run.snapshot(step)) for step in run.steps]
peak = max(history, key=lambda result: result.asymmetry)
{
    "asymmetry at the start": history[0].asymmetry,
    "at its peak": peak.asymmetry,
    "at the end": history[-1].asymmetry,
    "step of the peak": peak.step,
    "train pairs known from step": report.phases.train_accuracy_first,
    "test pairs known from step": report.phases.test_accuracy_first,
}

# %% [markdown]
# ## 3. A figure: results in, `Figure` out
#
# It computes nothing and shows nothing, so that it can stand in a notebook, on a page, or in a test.


# %%
def commutation_figure(history: list[Commutation]) -> go.Figure:
    """Asymmetry over training, with the control."""
    figure = go.Figure(layout={"title": {"text": "Does a + b = b + a?"}, "height": 340})
    steps = [result.step for result in history]
    for name, values in (
        ("(a, b) against (b, a)", [result.asymmetry for result in history]),
        ("against a random pair", [result.control for result in history]),
    ):
        figure.add_trace(go.Scatter(x=steps, y=np.maximum(values, 1e-7), name=name, mode="lines+markers"))
    figure.update_xaxes(title_text="step")
    return figure.update_yaxes(title_text="share of the logits' variance", type="log", exponentformat="power")


commutation_figure(history)

# %% [markdown]
# The network starts out commuting: both inputs pass through the same embedding, and attention has no opinion yet. While
# it memorises, it treats (a, b) and (b, a) as two facts, but only slightly; long before it groks they are one again.
#
# ## 4. On a page
#
# What the report shows is a list of `PageFigure`: a name, a title, a caption, and the function that draws it from the
# report. `write_report` takes yours after its own. The function is given the report, and so the run:


# %%
def drawn_from(report) -> go.Figure:
    return commutation_figure([commutation(report.run.snapshot(step)) for step in report.run.steps])


mine = PageFigure(
    "commutation",
    "Does a + b = b + a?",
    "Share of the logits that changes sign when a and b change places; beside it, the same for random partners.",
    drawn_from,
)
paths = write_report(report, "pages/commutation", extra_figures=[mine])
paths.html.name, mine.title in paths.html.read_text()

# %% [markdown]
# If your analysis is of use to others: a module in `grokinterp/analysis/`, a figure function in `grokinterp/report/`,
# one entry in the list there. The tests ask of each what you did here: an answer that is known, and a control.
