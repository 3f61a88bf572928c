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
# # Groups: irreps and cosets
#
# Addition has circles. What does a network find that learns to *compose permutations*, where a·b and b·a differ? You
# will train one on the 24 permutations of four things, see which irreducible representations ("irreps") it uses, and
# let two accounts compete: "its neurons see matrix entries of a few irreps" (Chughtai et al. 2023) and "its neurons see
# which coset of a subgroup a and b lie in" (Stander et al. 2024).
#
# Needed: `pip install grokinterp jupyter`. The training takes half a minute.

# %%
import os
from pathlib import Path

import pandas as pd
import plotly.io
from IPython.display import display

import grokinterp
from grokinterp import report as figures
from grokinterp.analysis import accuracy, find_keys, loss
from grokinterp.fourier import FiniteGroup, character_table, irreps
from grokinterp.runs import RunConfig
from grokinterp.verdict import coset_account, irrep_account, with_random_weights

plotly.io.renderers.default = "plotly_mimetype"
steps = 600 if os.environ.get("GROKINTERP_FAST") else 1500

# %% [markdown]
# ## The group
#
# An irrep turns each permutation into a matrix, so that composing becomes multiplying, and cannot be split further. S_4
# has five. The trace of the matrix is the *character*, which is the same for all elements of a conjugacy class.

# %%
S4 = FiniteGroup.symmetric(4)
classes = S4.conjugacy_classes
columns = [f"like {S4.elements[members[0]]} (×{len(members)})" for members in classes]
pd.DataFrame(character_table(S4).round(6), index=[irrep.title for irrep in irreps(S4)], columns=columns)

# %% [markdown]
# A subgroup H cuts the group into *cosets* of equal size. The permutations that leave the last thing in its place are
# such an H; p·q means "first p, then q", so the right cosets Hg say where the last thing goes.

# %%
H = S4.subgroup((1, 0, 2, 3), (1, 2, 0, 3))
goes_to = pd.DataFrame({"right coset Hg": S4.cosets(H, "right"), "the last thing goes to": [g[3] for g in S4.elements]})
goes_to.value_counts().rename("elements").reset_index()

# %% [markdown]
# ## Train

# %%
config = RunConfig.preset("quick-s4").with_settings([f"training.steps={steps}"])
run = grokinterp.train(config, "runs/quick-s4", resume=True, progress=False)
report = grokinterp.analyze(run)
report.finding

# %%
figures.progress_figure(report)

# %% [markdown]
# ## By irreps
#
# Which irreps do the layers hold? For the weights: shares of the sum of squares. For the neurons: shares of their
# variance, as functions of a, of b and of the answer.

# %%
figures.layers_figure(report)

# %%
figures.neuron_clusters_figure(report)

# %% [markdown]
# The logits of an ideal network are a sum of characters: L(a, b, c) = Σ_ρ α_ρ χ_ρ(abc⁻¹), largest where abc⁻¹ is the
# identity, which is at the right answer c = ab.

# %%
figures.character_decomposition_figure(report)

# %% [markdown]
# ## By cosets
#
# The same neurons, asked another question: is a neuron's input constant on the cosets of some subgroup?

# %%
figures.coset_neurons_figure(report)

# %%
figures.example_neurons_figure(report)

# %% [markdown]
# ## Irreps against cosets
#
# A picture is no test. So take each account at its word: replace what every neuron sees by what the account says that
# it sees, and run the rest of the network on that.
#
# - *explained*: the share of what the neurons tell the logits that survives;
# - *numbers*: how many numbers the account needs per neuron, of 24² = 576. An account that needs them all explains
#   anything.
#
# The control is a network of random weights.


# %%
def accounts(snapshot, keys):
    rows = {"by irreps": irrep_account(snapshot, keys), "by cosets": coset_account(snapshot)}
    table = pd.DataFrame(
        {
            name: {
                "explained": found.explained,
                "loss": found.loss,
                "accuracy": found.accuracy,
                "numbers": found.numbers,
            }
            for name, found in rows.items()
        }
    ).T
    task = snapshot.task
    table.loc["the network"] = [1.0, loss(snapshot.logits, task, "all"), accuracy(snapshot.logits, task, "all"), None]
    return table.map("{:.5g}".format)


snapshot = run.snapshot()
keys = find_keys(snapshot).chosen
pd.concat({"trained": accounts(snapshot, keys), "random": accounts(with_random_weights(snapshot), keys)})

# %% [markdown]
# The control says why the numbers matter: given enough of them, an account explains a good part even of a network that
# knows nothing.
#
# Both accounts can hold at once: a function on the cosets of a subgroup lies in a few irreps. What decides is which of
# them predicts the network with fewer numbers. `find_verdict` weighs them by fixed rules:

# %%
verdict = grokinterp.find_verdict(run, full=False)
verdict.headline, verdict.judgement.reasons_for, verdict.judgement.reasons_against

# %%
figures.irreps_and_cosets_figure(verdict).update_layout(title_text="")

# %% [markdown]
# ## The published network on S_5
#
# Chughtai et al. published networks, and Stander et al. looked at S_5 again. If you have the folder `S5_T_seed1` of
# [their repository](https://github.com/bilal-chughtai/rep-theory-mech-interp), put it beside this notebook in
# `data/chughtai/` (or set GROKINTERP_SHARED_DATA to your data folder); without it this part is skipped.

# %%
published = Path(os.environ.get("GROKINTERP_SHARED_DATA", "data")) / "chughtai" / "S5_T_seed1"
s5 = None
if published.is_dir():
    out = Path("runs/s5-published")
    s5 = (grokinterp.load_run(out) if out.is_dir() else grokinterp.import_run(published, out=out)).snapshot()
"S_5 found" if s5 else "S_5 is not here: skipped"

# %%
if s5:
    s5_keys = find_keys(s5).chosen
    names = [s5.task.structure.basis.irrep_names[key] for key in s5_keys]
    s5_table = accounts(s5, s5_keys)
    display(names, s5_table)

# %% [markdown]
# There each account predicts the network nearly perfectly, and with about as many numbers: the two papers describe one
# and the same network.
