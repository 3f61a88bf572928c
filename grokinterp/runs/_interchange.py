"""Runs in the form in which other libraries take them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.errors import GrokinterpError

if TYPE_CHECKING:
    from ._run import Run

PAIR_SETS = ("train", "test", "all")


class LabelledPairs(torch.utils.data.Dataset):
    """Pairs as sequences for a language model: item i is ``{"input_ids": [a, b, =, label]}``."""

    def __init__(self, input_ids: Int[torch.Tensor, "chosen pos"]) -> None:
        self.input_ids = input_ids

    def __len__(self) -> int:
        return len(self.input_ids)

    def __getitem__(self, index: int) -> dict[str, Int[torch.Tensor, " pos"]]:
        return {"input_ids": self.input_ids[index]}


@dataclass(frozen=True, eq=False)
class ForDevinterp:
    """What devinterp's samplers take; see `as_devinterp`.

    - `model`: the network at the chosen step, fresh.
    - `dataset`: the pairs with their labels, for devinterp 2 or, in a `torch.utils.data.DataLoader`, for devinterp 1.
    - `loss_fn(model, input_ids)`: for devinterp 2, see `last_position_loss`.
    - `evaluate(model, batch)`: for devinterp 1, the mean of the same loss.
    - `param_masks`: the parameters the network trains, all else held still, as devinterp 2 takes them.
    """

    model: Any
    dataset: LabelledPairs
    loss_fn: Callable[..., Float[torch.Tensor, "chosen pos"]]
    evaluate: Callable[..., Float[torch.Tensor, ""]]
    param_masks: Mapping[str, None]


def as_devinterp(run: "Run", step: int | None = None, *, data: str = "train") -> ForDevinterp:
    """The network of `run` at `step` (default: the last) with its data and loss, for the samplers of devinterp.

    The loss is that of the training: cross-entropy of the label at the last position, on the `train` pairs (or the
    `test` pairs, or `all`), with the noisy labels where it was trained on such. devinterp 2, from
    ``pip install 'grokinterp[devinterp]'``, estimates the local learning coefficient of Lau et al. 2023 so:

    ```python
    from devinterp.slt.llc import llc
    from devinterp.utils import default_nbeta

    given = grokinterp.as_devinterp(run, 20_000)
    result = llc(
        given.model, given.dataset, {"train": given.dataset}, loss_fn=given.loss_fn, param_masks=given.param_masks,
        lr=1e-4, n_beta=default_nbeta(512), localization=100.0, batch_size=512, num_chains=2, num_draws=200,
    )
    result["llc_mean"]
    ```

    and devinterp 1 with ``estimate_learning_coeff(given.model, DataLoader(given.dataset, 512),
    evaluate=given.evaluate, …)``.
    devinterp itself is not needed here.

    Raises `GrokinterpError` if `data` is none of these, nobody knows the split, or the step has no checkpoint.
    """
    if data not in PAIR_SETS:
        raise GrokinterpError(f"data {data!r}: unknown; choose one of {', '.join(PAIR_SETS)}")
    task, step = run.task, run.last_step if step is None else step
    if data != "all" and task.config.split_scheme == "unknown":
        raise GrokinterpError(f"nobody knows which pairs {run.path} was trained on; give data='all'")
    chosen = np.arange(task.n_pairs) if data == "all" else task.split.train if data == "train" else task.split.test
    labels = torch.from_numpy(task.labels)[:, None]
    pairs = torch.cat([task.tokens, labels], dim=1)[torch.from_numpy(chosen)]
    model = run.model(step)
    trained = {name: None for name, parameter in model.named_parameters() if parameter.requires_grad}
    return ForDevinterp(model, LabelledPairs(pairs), last_position_loss, _mean_loss, trained)


def last_position_loss(
    model: torch.nn.Module, input_ids: Int[torch.Tensor, "chosen pos"]
) -> Float[torch.Tensor, "chosen pos-1"]:
    """−log softmax(logits)[label] at the last position of each pair, in float64, then float32.

    devinterp wants a loss per predicted token and averages over them. The network predicts one: its loss stands in
    every column, so that the mean over a row, and with it every estimate, is the loss of the pair.
    """
    logits, labels = model(input_ids[:, :-1])[:, -1], input_ids[:, -1]
    if logits.device.type != "mps":  # It has no float64.
        logits = logits.double()
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none").float()
    return losses[:, None].expand(-1, input_ids.shape[1] - 1)


def _mean_loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> Float[torch.Tensor, ""]:
    return last_position_loss(model, batch["input_ids"]).mean()
