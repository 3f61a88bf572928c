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
# # Clock or pizza?
#
# Two networks can add on the same circles and compute differently (Zhong et al. 2023, [arXiv
# 2306.17844](https://arxiv.org/abs/2306.17844)). A **clock** multiplies: from the angles of a and b it makes the angle
# of the sum. A **pizza** adds: it takes the midpoint of the two points and reads in which direction it lies. You will
# see why the logits alone cannot tell them apart, leave single circles alone in a network, and judge networks: two that
# you train, the one of Nanda et al., and other people's if you have them.
#
# Needed: `pip install grokinterp jupyter`. The training takes about a minute.

# %%
import os
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.io
from IPython.display import display

import grokinterp
from grokinterp import report as figures
from grokinterp.analysis import Places, distance_irrelevance, gradient_symmetricity
from grokinterp.runs import RunConfig
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import amplitude_by_distance

plotly.io.renderers.default = "plotly_mimetype"
fast = bool(os.environ.get("GROKINTERP_FAST"))

# %% [markdown]
# ## The two ideals
#
# On a circle of frequency k both give the answer c the logit f(d) cos(2πk(a + b − c)/p), with d = a − b. They differ in
# f: a clock's is the same at every distance, a pizza's is the length of the midpoint, |cos(πkd/p)|: where a and b lie
# opposite each other, the midpoint is the centre and has no direction.
#
# That hole can be filled. A network has several circles, and one of them can add the missing −cos(2πkd/p) at the same
# frequency. The sum of the two pizzas then looks like a clock:

# %%
p, k = 31, 3
task = Task(TaskConfig(p=p))
a, b = task.pairs.T[:, :, None]
clock = np.cos(2 * np.pi * k * (a + b - np.arange(p)) / p)
pizza = np.abs(np.cos(np.pi * k * (a - b) / p)) * clock
filled = pizza - 4 / (3 * np.pi) * np.cos(2 * np.pi * k * (a - b) / p) * clock
ideals = {"clock": clock, "pizza": pizza, "pizza, its holes filled": filled}
places = Places.of(task)
amplitudes = pd.DataFrame({name: amplitude_by_distance(logits, places, k) for name, logits in ideals.items()})
angle = np.arange(p) * k % p * 360 / p
amplitudes = amplitudes.assign(angle=np.minimum(angle, 360 - angle)).groupby("angle").mean()
names = {"value": "amplitude", "variable": "", "angle": "angle between the points of a and b"}
px.line(amplitudes, labels=names, height=320)

# %% [markdown]
# **Distance irrelevance** (0 … 1) says how little the logit of the right answer hangs on a − b. (With a little noise,
# as in any real network: without it a clock's right logits are all equal, and the measure is not defined.)

# %%
rng = np.random.default_rng(0)
{name: round(distance_irrelevance(f + 0.1 * rng.normal(size=f.shape), task), 2) for name, f in ideals.items()}

# %% [markdown]
# So the logits of the whole network do not decide. What does is to leave one circle *alone*, with no other to fill its
# holes.

# %% [markdown]
# ## Two networks that differ in one setting
#
# `model.attention_rate` mixes ordinary attention (1) with constant attention (0), which looks at a and b alike whatever
# they are. Constant attention can only add: it leaves the network no choice but a pizza. All else is equal.

# %%
settings = ["task.p=23", "task.train_fraction=0.8", "training.weight_decay=2.0", "training.learning_rate=0.003"]
settings += ["model.seed=1", f"training.steps={400 if fast else 600}"]


def trained(rate):
    config = RunConfig().with_settings([*settings, f"model.attention_rate={rate}"])
    return grokinterp.train(config, f"runs/attention-rate-{rate}", resume=True, progress=False)


networks = {"constant attention": trained(0), "ordinary attention": trained(1)}
{name: float(run.metrics["test_accuracy"].dropna().iloc[-1]) for name, run in networks.items()}

# %% [markdown]
# (The log line says that constant attention is trained by TransformerLens' own forward pass, which takes longer.)
#
# The run that ships with the repository, and other people's networks, join them if they are here: models A and B of
# Zhong et al. from [their repository](https://github.com/fjzzq2002/pizza), in `data/pizza/` beside this notebook (or in
# the folder GROKINTERP_SHARED_DATA).

# %%
shipped = Path("../checkpoints/nanda-mainline")
if shipped.is_dir():
    networks["Nanda et al."] = grokinterp.load_run(shipped)
published = Path(os.environ.get("GROKINTERP_SHARED_DATA", "data")) / "pizza"
for name, file in {"Zhong et al., A": "model_p99zdpze5l.pt", "Zhong et al., B": "model_l8k1hzciux.pt"}.items():
    out = Path("runs") / file.removesuffix(".pt")
    if (published / file).is_file() and not fast:
        networks[name] = grokinterp.load_run(out) if out.is_dir() else grokinterp.import_run(published / file, out=out)
list(networks)

# %% [markdown]
# ## The verdict
#
# `find_verdict` leaves each circle alone in the embedding (which is projected on one frequency), lets the network run
# as it is, and measures f(d) again. The amplitude left at opposite points, as a fraction of that at equal ones, is 1
# for a clock and 0 for a pizza; the mean over the circles is the *clock share*. Two measures of Zhong et al. stand
# beside it:
#
# - **gradient symmetricity**: do the gradients with respect to the embeddings of a and of b point the same way? Near 1
#   for a pizza, which sees only their sum; lower for a clock;
# - **distance irrelevance**, as above.
#
# The *label* asks something else: by what is the amplitude made? With attention *held* at its mean over all pairs,
# nothing is left of a product. A pizza whose hole attention has filled keeps about half, and is a pizza again.

# %%
verdicts = {name: grokinterp.find_verdict(run, full=False, triples=2000) for name, run in networks.items()}
pd.DataFrame(
    [
        {
            "network": name,
            "label": verdict.label,
            "as published": verdict.judgement.published,
            "kept with attention held": verdict.measured.stages.kept,
            "key frequencies": ", ".join(verdict.key_names),
            "clock share": verdict.measured.clock_share,
            "gradient symmetricity": verdict.measured.gradient_symmetricity,
            "distance irrelevance": verdict.measured.distance_irrelevance,
        }
        for name, verdict in verdicts.items()
    ]
).set_index("network").round(2)

# %% [markdown]
# Constant attention gives a pizza, as it must. Ordinary attention permits a product, and none of these networks forms
# one: with attention held they keep most of their amplitude, the published clocks too. And look at the distance
# irrelevance of the pizza: far from an ideal pizza's (above), since its circles fill each other's holes, as the next
# figure shows.
#
# ### Circle by circle
#
# Thick: the circle alone. Dashed: the same with attention held. Thin: its cosine in the whole network, where others
# fill its holes.

# %%
figures.circles_alone_figure(verdicts["constant attention"]).update_layout(title_text="")

# %%
figures.circles_alone_figure(verdicts["ordinary attention"]).update_layout(title_text="")

# %% [markdown]
# On the line from pizza (0) to clock (1), a dot per circle, sized by its share of the logits:

# %%
figures.clock_pizza_figure(verdicts["ordinary attention"])

# %%
if "Nanda et al." in verdicts:
    display(figures.clock_pizza_figure(verdicts["Nanda et al."]))

# %% [markdown]
# ## What speaks against it?
#
# A label is the end of a list of reasons. Read those, too.

# %%
{name: verdict.judgement.reasons_against for name, verdict in verdicts.items()}

# %% [markdown]
# And a measure alone is no verdict: before training, a network knows nothing, and yet looks like a perfect pizza by its
# gradients. Judge only networks that know the answer (`find_verdict` asks that first).

# %%
untrained = networks["ordinary attention"].snapshot(0)
label = grokinterp.find_verdict(networks["ordinary attention"], step=0, full=False, triples=500).label
{"gradient symmetricity, untrained": round(gradient_symmetricity(untrained, triples=2000), 2), "verdict": label}

# %% [markdown]
# The rules, their bounds and what the verdict cannot tell are in `docs/verdict.md`.
