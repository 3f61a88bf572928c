# %% [markdown]
# # Watch a network grok
#
# The shipped run is a transformer that learned (a + b) mod 113 from 30 % of all pairs. Open this file as a notebook
# (jupytext percent format) or run it cell by cell in an editor.

# %%
from pathlib import Path

import grokinterp
from grokinterp import report as figures

root = Path(__file__).parent.parent if "__file__" in globals() else Path("..")
run = grokinterp.load_run(root / "checkpoints" / "nanda-mainline")
run.metrics.tail()

# %% [markdown]
# ## What it learned

# %%
report = grokinterp.analyze(run)
report.finding

# %% [markdown]
# ## How: losses, progress measures, and circles in the embedding

# %%
figures.losses_figure(report)

# %%
figures.progress_figure(report)

# %%
figures.embedding_circles_figure(report)

# %% [markdown]
# ## The model itself is a `HookedTransformer`

# %%
model = run.model(20_000)
logits, cache = model.run_with_cache(run.task.tokens[:5])
cache["blocks.0.attn.hook_pattern"].shape
