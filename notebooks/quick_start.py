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
# # Quick start: watch a network grok
#
# You will train a small transformer on (a + b) mod 59, see it memorise its training pairs, and then, hundreds of steps
# later, suddenly answer the pairs that it never saw. Then you will look inside it and see how it adds: on circles.
#
# Needed: `pip install grokinterp jupyter`. The training takes about a minute on a laptop.

# %%
import os

import plotly.io
import torch

import grokinterp
from grokinterp import report as figures
from grokinterp.runs import RunConfig

plotly.io.renderers.default = "plotly_mimetype"  # Figures are kept in the notebook and need no internet.
steps = 750 if os.environ.get("GROKINTERP_FAST") else 2000

# %% [markdown]
# ## Train
#
# A *preset* is a named recipe. `quick` has 59² = 3,481 pairs (a, b), of which half are used for training. Any setting
# can be changed with `with_settings`. The folder `runs/quick` keeps the checkpoints; with `resume=True` this cell can
# be run again: a finished run is not trained twice.

# %%
config = RunConfig.preset("quick").with_settings([f"training.steps={steps}"])
run = grokinterp.train(config, "runs/quick", resume=True, progress=False)
run.task.name, run.task.n_pairs, len(run.task.split.train), len(run.task.split.test)

# %% [markdown]
# `run.metrics` is a table with a row per step. Read it from top to bottom: first the train accuracy rises to 1,
# while most unseen pairs are still answered wrong, then the test accuracy follows. That delay is *grokking*.

# %%
shown = [0, 20, 50, 100, 200, 300, 400, 500, 600, 700]
run.metrics.set_index("step").loc[shown, ["train_loss", "test_loss", "train_accuracy", "test_accuracy"]].round(4)

# %% [markdown]
# ## Analyse
#
# `analyze` measures the last checkpoint, and all others for the curves. `finding` is the result in words.

# %%
report = grokinterp.analyze(run)
report.finding

# %%
figures.losses_figure(report)

# %% [markdown]
# ## What was it doing while it looked stuck?
#
# Take the logits apart into waves of a + b, one per *frequency*. Keep only the network's key frequencies: the loss that
# is left is the **restricted loss**, and it falls while the test loss still looks hopeless: the circuit is growing.
# Take the key frequencies out instead: the **excluded loss** rises when the network starts to rely on them.

# %%
figures.progress_figure(report)

# %% [markdown]
# ## How it adds
#
# The embedding of each number, seen in the plane of one key frequency k. The network has put the numbers 0 … 58 on
# circles: x stands at the angle 2πkx/59. Adding numbers has become adding angles.

# %%
figures.embedding_circles_figure(report)

# %% [markdown]
# From the sum of the angles, each key frequency votes for every answer c with a cosine, cos(2πk(a + b − c)/59). Only at
# c = a + b do all waves have their crest at once. Below: how much of the logits these waves explain, and the mean logit
# by the distance from the right answer.

# %%
figures.logit_decomposition_figure(report)

# %%
decomposition = report.circuit.logits
{"key frequencies": report.key_frequencies, "explained": round(decomposition.variance_explained, 3)}

# %% [markdown]
# ## The network itself
#
# `run.model(step)` is a `HookedTransformer` of TransformerLens. Ask it something:

# %%
model = run.model(run.last_step)
tokens = torch.tensor([[40, 30, run.task.equals_token]])
int(model(tokens)[0, -1, : run.task.n_answers].argmax()), (40 + 30) % 59

# %% [markdown]
# A *snapshot* is one checkpoint evaluated on all pairs at once, as NumPy arrays: the starting point for measurements of
# your own. How many of the pairs it never saw does the network answer correctly?

# %%
snapshot = run.snapshot()
right = snapshot.logits.argmax(axis=1) == run.task.answers
snapshot.logits.shape, snapshot.neurons.shape, float(right[run.task.split.test].mean())

# %% [markdown]
# ## The report as a page
#
# One HTML file with all figures, that works offline; `grokinterp analyze runs/quick` in a terminal does the same.

# %%
grokinterp.write_report(report, "runs/quick/report")

# %% [markdown]
# **Where next:** `nanda_2023` reads the network of the paper that explained all this; `fourier_utilities` takes the
# tools to arrays of your own; `groups` leaves addition for permutations; `clock_or_pizza` asks which algorithm exactly;
# and `own_analysis` adds a measurement of yours.
