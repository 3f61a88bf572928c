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
# # The Fourier utilities on arrays of your own
#
# `grokinterp.fourier` stands alone: it needs NumPy, takes NumPy, torch and JAX arrays, and loads nothing heavy. You
# will learn to find the frequencies in an array, to keep or remove some of them, to do the same on a group that is no
# circle, and to test whether the activations of *any* model hold a number on circles, with the controls that such a
# claim needs.
#
# Needed: `pip install grokinterp jupyter`. Nothing is trained here.

# %%
import numpy as np
import pandas as pd
import plotly.express as px
import plotly.io

from grokinterp.fourier import FiniteGroup, FourierBasis, GroupBasis, fit_helix, gini

plotly.io.renderers.default = "plotly_mimetype"
rng = np.random.default_rng(0)

# %% [markdown]
# ## Functions of a residue: `FourierBasis(n)`
#
# Its rows are an orthonormal basis of the functions on 0 … n−1: a constant, then a cosine and a sine per frequency.

# %%
n = 59
basis = FourierBasis(n)
basis.names[:5], basis.rows(7), np.allclose(basis.matrix @ basis.matrix.T, np.eye(n))

# %% [markdown]
# Say you have an embedding of 59 tokens in 32 dimensions. This one is made up: two circles, of frequencies 5 and 12,
# under noise. Nothing is to be seen in its entries, but `power` (squared length per frequency, along any axis) sees it.

# %%
x = np.arange(n)


def circle(k):
    return np.stack([np.cos(2 * np.pi * k * x / n), np.sin(2 * np.pi * k * x / n)], axis=1)


embedding = circle(5) @ rng.normal(size=(2, 32)) + 0.7 * circle(12) @ rng.normal(size=(2, 32))
embedding += rng.normal(size=(n, 32))
power = basis.power(embedding, axis=0).sum(axis=1)
px.bar(x=np.arange(len(power)), y=power, labels={"x": "frequency", "y": "power"}, height=300)

# %% [markdown]
# Powers add up to the sum of squares, so they are shares. `gini` says in one number how unequally they are spread.

# %%
white = rng.normal(size=(n, 32))
pd.DataFrame(
    {
        "share of 5 and 12": [power[[5, 12]].sum() / power.sum()],
        "gini": [gini(power)],
        "gini of white noise": [gini(basis.power(white, axis=0).sum(axis=1))],
    }
).round(3)

# %% [markdown]
# ### Keep or remove frequencies
#
# `project` keeps some frequencies of an array, in place and shape. What is left is the array without them.

# %%
kept = basis.project(embedding, [5, 12], axis=0)
clean = embedding - kept
{
    "power kept at 5": float(basis.power(kept, axis=0)[5].sum() / power[5]),
    "power left at 5": float(basis.power(clean, axis=0)[5].sum()),
    "sum of squares": bool(np.isclose((kept**2).sum() + (clean**2).sum(), (embedding**2).sum())),
}

# %% [markdown]
# ### Functions of two residues
#
# A neuron is a function of a and of b. `power_2d` says how much of it is a product of a frequency in a and one in b. A
# function of the sum a + b alone has frequency k in both, and lies along `sum_directions(k)`.

# %%
a, b = np.indices((n, n))
neuron = np.maximum(np.cos(2 * np.pi * 5 * (a + b) / n), 0) + 0.3 * rng.normal(size=(n, n))
grid = basis.power_2d(neuron)
strongest = np.argsort(grid, axis=None)[::-1][:4]
[tuple(map(int, np.unravel_index(place, grid.shape))) for place in strongest]

# %%
directions = basis.sum_directions(5)
of_the_sum = float(((directions * neuron).sum(axis=(1, 2)) ** 2).sum() / ((neuron - neuron.mean()) ** 2).sum())
{"share of the variance in cos and sin of 2π·5(a + b)/59": round(of_the_sum, 3)}

# %% [markdown]
# The other entries that stand out above are no noise: (0, 0) is the neuron's mean, and a rectified wave has overtones.
#
# ## Groups that are no circle: `GroupBasis(group)`
#
# The same interface; its blocks are the irreducible representations ("irreps") of the group. Take the 24 permutations
# of four things, and count the fixed points of each.

# %%
S4 = FiniteGroup.symmetric(4)
s4_basis = GroupBasis(S4)
fixed_points = np.array([sum(place == image for place, image in enumerate(g)) for g in S4.elements])
shares = s4_basis.power(fixed_points) / (fixed_points**2).sum()
pd.DataFrame({"irrep": s4_basis.irrep_names, "dimension": s4_basis.dimensions, "share": shares.round(6)})

# %% [markdown]
# The number of fixed points is the constant plus one character, that of the standard representation (3,1).
#
# ## Circles and helices in any model's activations: `fit_helix`
#
# You have activations for examples that each show a number, and suspect that the model holds the number on a circle of
# period T (language models hold 0 … 99 with periods such as 2, 5, 10 and 100, and linearly: Kantamneni & Tegmark 2025).
# Here are activations with a line and circles of periods 10 and 100, hidden in 64 dimensions.

# %%
values = np.arange(100)
angle = 2 * np.pi * values[:, None] / np.array([10, 100])
features = np.hstack([np.cos(angle), np.sin(angle), values[:, None] / 50])
activations = features @ rng.normal(size=(5, 64)) + 1.5 * rng.normal(size=(100, 64))


def summary(**fits):
    return pd.DataFrame(
        {
            name: {
                "explained": fit.explained_variance,
                "explained, values permuted (mean)": fit.permuted_mean,
                "cross-validated": fit.cross_validated,
                "p value": fit.p_value,
            }
            for name, fit in fits.items()
        }
    ).T.round(3)


right = fit_helix(activations, values, [10, 100])
wrong = fit_helix(activations, values, [7, 33], linear=False)
nothing = fit_helix(rng.normal(size=(100, 64)), values, [10, 100])
many = fit_helix(rng.normal(size=(100, 64)), values, [3, 4, 6, 7, 9, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43])
summary(right=right, wrong_periods=wrong, pure_noise=nothing, noise_and_many_periods=many)

# %% [markdown]
# Read the row of the noise with many periods: a fit with so many columns *explains* a lot of nothing. What tells it
# from a finding is the same fit with the values permuted, which explains as much, and cross-validation, whose held-out
# values are foretold no better than by the mean (0 or below). Report these numbers along with "explained".
#
# What each period gives: alone, and what is lost without it; and how round its circle is (1 a circle, 0 a line).

# %%
pd.DataFrame(
    [
        {"period": c.period, "alone": c.alone, "lost without": c.lost, "radius": c.radius, "roundness": c.roundness}
        for c in right.circles
    ]
).round(3)

# %%
points = right.coordinates(10)
hover = {"color": values % 10, "hover_name": values, "height": 420, "width": 480}
hover["color_continuous_scale"] = "phase"
figure = px.scatter(x=points[:, 0], y=points[:, 1], labels={"x": "", "y": "", "color": "value mod 10"}, **hover)
figure.update_yaxes(scaleanchor="x")

# %% [markdown]
# For a model of your own, `activations` is an array of shape (example, d) of any library, and `values` the number each
# example shows. Many examples per value are welcome: folds and permutations keep those of one value together. For a
# network that adds modulo p, circles of frequency k have the period p / k; use `linear=False`.
