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
# # Nanda et al. 2023, figure by figure
#
# *Progress measures for grokking via mechanistic interpretability* ([arXiv
# 2301.05217](https://arxiv.org/abs/2301.05217)) takes one network apart completely: a transformer of one layer that
# learned (a + b) mod 113 from 30 % of the pairs. You will walk through its argument on that network, grown again from
# its seed: what the weights look like, what the neurons and the logits compute, what breaks when a part is taken out,
# and when during training all this came about.
#
# Needed: `pip install grokinterp jupyter`. The run ships with the repository; without it, it is trained here (10 to 15
# minutes).

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.io

import grokinterp
from grokinterp import report as figures
from grokinterp.analysis import ProgressMeasures, loss

plotly.io.renderers.default = "plotly_mimetype"
shipped = Path("../checkpoints/nanda-mainline")
if shipped.is_dir():
    run = grokinterp.load_run(shipped)
else:
    run = grokinterp.train("nanda-mainline", "runs/nanda-mainline", resume=True, progress=False)
report = grokinterp.analyze(run)
circuit = report.circuit
report.finding[0]

# %% [markdown]
# ## The puzzle: grokking
#
# The train loss falls at once, the test loss thousands of steps later. (Shaded: the three phases, to which we come
# back.)

# %%
figures.losses_figure(report)

# %%
phases = report.phases
{"train pairs known from step": phases.train_accuracy_first, "test pairs known from step": phases.test_accuracy_first}

# %% [markdown]
# ## Suggestive evidence: everything is periodic (§4.1)
#
# ### The embedding
#
# Write W_E as a sum of waves over the numbers 0 … 112. An untrained embedding has all frequencies alike; this one has a
# handful.

# %%
figures.embedding_spectrum_figure(report)

# %%
figures.singular_values_figure(report)

# %% [markdown]
# In words: of 113 numbers the network keeps a few angles each, a cosine and a sine per frequency. In the plane of a
# frequency k the numbers lie on a circle, in the order of kx mod 113.

# %%
figures.embedding_circles_figure(report)

# %% [markdown]
# ### Attention and neurons
#
# Over all pairs (a, b), the attention from `=` to a is a regular pattern of waves, and so is each neuron.

# %%
figures.attention_figure(report)

# %%
figures.example_neurons_figure(report)

# %% [markdown]
# How far is a neuron a function of *one* frequency: a polynomial of degree 2 in the cosines and sines of a and of b?
# The paper calls a neuron explained from 85 % of its variance on.

# %%
figures.neuron_clusters_figure(report)

# %%
clusters = pd.Series({k: len(neurons) for k, neurons in circuit.neurons.clusters().items()}, name="neurons")
clusters.rename_axis("frequency").to_frame().T.assign(unexplained=len(circuit.neurons.unclustered()))

# %% [markdown]
# ## Mechanistic evidence: what the weights compose to (§4.2)
#
# The map from the neurons to the logits, W_L = W_out W_U, is made of the same few frequencies, and of nearly nothing
# else. The frequencies that stand out here are what grokinterp calls *key frequencies*.

# %%
figures.logit_map_spectrum_figure(report)

# %%
{
    "key frequencies": report.key_frequencies,
    "rows of W_L they make up": circuit.logit_map.rank,
    "share of W_L's sum of squares that is none of them": round(circuit.logit_map.residual_fraction**2, 4),
}

# %% [markdown]
# The wave cos(2πkc/113) in the logits has a direction u_k among the neurons, the wave sin(2πkc/113) a direction v_k. If
# the network adds angles, then u_k must read cos(2πk(a + b)/113) and v_k the sine of it. The share of variance that
# this explains:

# %%
read = pd.DataFrame(circuit.logit_map.variance_explained, index=["u_k reads the cosine", "v_k reads the sine"])
read.rename_axis(columns="frequency").round(3)

# %% [markdown]
# ## The logits are a sum of cosines (§4.2)
#
# L(a, b, c) ≈ Σ_k α_k cos(2πk(a + b − c)/113): five numbers α_k instead of 113³ logits.

# %%
figures.logit_decomposition_figure(report)

# %%
cosines, keys = circuit.logits, list(report.key_frequencies)
table = {"α_k": cosines.amplitudes[keys], "share of the logits' variance": cosines.share[keys]}
pd.DataFrame(table, index=pd.Index(keys, name="frequency")).round(3)

# %%
{"explained by the key frequencies together": round(cosines.variance_explained, 3)}

# %% [markdown]
# ## Proof by ablation (§4.4)
#
# Evidence so far is correlation. So: keep only the key frequencies of a + b in the logits, or take one out, and look at
# the loss. A uniform guess has ln 113.

# %%
progress = ProgressMeasures.of(report.snapshot)
losses = {
    "the network": loss(report.snapshot.logits, run.task, "all"),
    "only the key frequencies": progress.restricted(keys),
}
losses |= {f"without frequency {k}": progress.excluded([k], "all") for k in keys}
losses |= {"without any key frequency": progress.excluded(keys, "all"), "uniform guess": np.log(run.task.n_answers)}
pd.Series(losses, name="loss, all pairs").map("{:.3g}".format).to_frame()

# %% [markdown]
# Keeping *only* the circuit makes the network better: what is thrown away was noise. Each frequency is needed, and
# without all of them the network does worse than a guess.
#
# Is this special to the key frequencies? The control: take out any one of the others.

# %%
others = [excluded for k, excluded in progress.excluded_by_irrep("all").items() if k not in keys and k > 0]
whole = losses["the network"]
{"others tried": len(others), "largest loss without one, over the network's": round(max(others) / whole, 2)}

# %% [markdown]
# ## Progress measures and the three phases (§5)
#
# Two losses that see the circuit form while the test loss is still high. **Restricted**: only the key frequencies are
# kept. **Excluded**: they are taken out, measured on the training pairs, so that what remains is what is memorised.

# %%
figures.progress_figure(report)

# %%
{name: getattr(phases, name) for name in ("memorization", "circuit_formation", "cleanup")}

# %% [markdown]
# 1. *Memorization*: the excluded loss falls with the train loss, so the network lives from memory.
# 2. *Circuit formation*: the excluded loss rises and the restricted loss falls, smoothly, while the test loss is still
#    worse than a guess.
# 3. *Cleanup*: the weights shrink, what was memorised goes, and only now the test loss falls. Grokking is thus not when
#    the circuit is learned, but when the memory that drowned it is given up.
#
# (The paper read the boundaries off the figure, at 1,400, 9,400 and 14,000; here rules find them from the curves.)

# %%
figures.weight_norms_figure(report)

# %% [markdown]
# ## What later work adds
#
# Zhong et al. 2023 asked whether such a network multiplies its circles (a *clock*, as described by the paper) or adds
# them (a *pizza*, which has a hole where a and b lie opposite). Left alone in the embedding, each circle shows how much
# it has there:

# %%
verdict = grokinterp.find_verdict(run, full=False, triples=2000)
figures.clock_pizza_figure(verdict)

# %%
verdict.headline, verdict.judgement.published_says

# %% [markdown]
# By the published criterion the network of the paper is a clock. But with attention held at its mean each of its
# circles is a pizza: what looks like a product is a hole that attention and other circles fill. `clock_or_pizza` goes
# on from here. How each published number compares with this run is in `docs/reproduction.md`.
