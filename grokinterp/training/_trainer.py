"""The network, its optimizer and one step of training: what is computed, apart from what is kept."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.errors import GrokinterpError
from grokinterp.models import FastForward, accuracy, hooked_network, not_covered_by_fast_forward, objectives
from grokinterp.runs import RunConfig, Tensors, checked_weights
from grokinterp.tasks import Task

from ._optimizers import build_optimizer, leaves_of, restored, state_of, template_of

logger = logging.getLogger("grokinterp")


class Trainer:
    """A network in training, on all train pairs at once or on batches of them.

    - `losses(step)` evaluates the state before optimizer call `step`; `update(step)` makes that call.
    - `state()` and `restore()` hold everything the next steps depend on.
    """

    def __init__(self, config: RunConfig, task: Task, device: torch.device) -> None:
        self.config, self.task = config, task
        self._objective = objectives[config.recipe.objective]
        self.model = hooked_network(config.model, task, device=device)
        reason = not_covered_by_fast_forward(config.model, task)
        parameters = dict(self.model.named_parameters())
        summation = config.recipe.summation
        self._fast = None if reason else FastForward(config.model, parameters, summation=summation)
        if reason:
            logger.warning("training with the plain forward: the fast one does not cover %s", reason)
        chosen = {
            name: torch.from_numpy(pairs) for name, pairs in (("train", task.split.train), ("test", task.split.test))
        }
        self._tokens = {name: task.tokens[pairs].to(device) for name, pairs in chosen.items()}
        if self._fast:
            inputs = {name: [symbols[pairs].to(device) for symbols in task.inputs] for name, pairs in chosen.items()}
            self._pairs = {name: self._fast.batch(*symbols) for name, symbols in inputs.items()}
            self._symbols = inputs["train"]
        # Noise spoils train pairs alone: on the test pairs the labels are the answers.
        self._labels = {name: torch.from_numpy(task.labels)[pairs].to(device) for name, pairs in chosen.items()}
        self._trained = {name: w for name, w in self.model.named_parameters() if w.requires_grad}
        self.optimizer = build_optimizer(list(self._trained.values()), config.recipe)
        self._loss: torch.Tensor | None = None

    def logits(self, pairs: str) -> Float[torch.Tensor, "pair out"]:
        """Logits of the `train` or `test` pairs over the network's outputs."""
        if self._fast:
            return self._fast(self._pairs[pairs])
        return self.model(self._tokens[pairs])[:, -1]

    def losses(self, step: int, *, evaluate: bool) -> dict[str, Any]:
        """Train loss at `step`, with the test loss and both accuracies if `evaluate`.

        With batches it is the loss of the batch, and where it is evaluated that of all train pairs.
        """
        batch, labels = self._batch(step), self._labels["train"]
        logits = self.logits("train") if batch is None else self._logits_of(batch)
        self._loss = self._loss_of(logits, labels if batch is None else labels[batch])
        metrics: dict[str, Any] = {"step": step, "train_loss": self._loss.item()}
        if evaluate:
            with torch.no_grad():
                if batch is not None:
                    logits = self.logits("train")
                    metrics["train_loss"] = self._loss_of(logits, labels).item()
                test_logits = self.logits("test")
                metrics["test_loss"] = self._loss_of(test_logits, self._labels["test"]).item()
                metrics["train_accuracy"] = accuracy(logits, labels)
                metrics["test_accuracy"] = accuracy(test_logits, self._labels["test"])
        return metrics | {"learning_rate": self.config.recipe.rate(step)}

    def _loss_of(
        self, logits: Float[torch.Tensor, "pair out"], labels: Int[torch.Tensor, " pair"]
    ) -> Float[torch.Tensor, ""]:
        return self._objective.of(logits, labels, getattr(torch, self.config.recipe.loss_dtype))

    def _batch(self, step: int) -> Int[torch.Tensor, " batch"] | None:
        """Which of the train pairs call `step` is made with; None for all."""
        size, n_train = self.config.recipe.batch_size, len(self._labels["train"])
        if size is None or size >= n_train:
            return None
        time, nth = divmod(step, math.ceil(n_train / size))
        order = np.random.default_rng([self.config.recipe.batch_seed, time]).permutation(n_train)
        return torch.from_numpy(order[nth * size : (nth + 1) * size]).to(self._labels["train"].device)

    def _logits_of(self, batch: Int[torch.Tensor, " batch"]) -> Float[torch.Tensor, "batch out"]:
        if self._fast:
            return self._fast(self._fast.batch(*(symbols[batch] for symbols in self._symbols)))
        return self.model(self._tokens["train"][batch])[:, -1]

    def update(self, step: int) -> None:
        """Optimizer call number `step`, with the gradient of the last `losses`."""
        assert self._loss is not None, "losses() comes before update()"
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.recipe.rate(step)
        self.optimizer.zero_grad()
        self._loss.backward()
        if self.config.recipe.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._trained.values(), self.config.recipe.max_gradient_norm)
        self.optimizer.step()
        self._loss = None

    def weights(self) -> Tensors:
        return {name: parameter.detach() for name, parameter in self.model.named_parameters()}

    def state(self, step: int) -> Tensors:
        """Weights, and what the optimizer keeps, before call `step`."""
        weights = {f"weights.{name}": value for name, value in self.weights().items()}
        return {"step": torch.tensor(step), **weights, **state_of(self.optimizer, self._trained, step)}

    def first_not_finite(self, step: int) -> dict[str, float]:
        """The first weight or moment that holds NaN or infinity, by its name in the state, and that number."""
        kept = state_of(self.optimizer, self._trained, step)
        moments = {name: value for name, value in kept.items() if value.is_floating_point()}
        tensors = {f"weights.{name}": value for name, value in self.weights().items()} | moments
        # The largest of all at once, which costs a twentieth of a step; NaN is passed on.
        if math.isfinite(torch.nn.utils.get_total_norm(list(tensors.values()), norm_type=math.inf)):
            return {}
        name, tensor = next((name, tensor) for name, tensor in tensors.items() if not torch.isfinite(tensor).all())
        return {name: tensor[~torch.isfinite(tensor)][0].item()}

    def restore(self, state: Tensors, path: Path) -> int:
        """Take up `state`, read from `path`, and return its step; a damaged one is refused before anything is taken."""
        step = _step_of(state, path)
        weights = {name.removeprefix("weights."): w for name, w in state.items() if name.startswith("weights.")}
        weights = checked_weights(weights, self.config.model, self.task, path)
        kept = self._kept(state, path) if step > 0 else {}
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(weights[name])
        for name, (template, saved) in kept.items():
            parameter = self._trained[name]
            self.optimizer.state[parameter] = restored(template, saved, step, parameter.device)
        return step

    def _kept(self, state: Tensors, path: Path) -> dict[str, tuple[dict[str, Any], Tensors]]:
        """Parameter → what its optimizer keeps of it, as after a first call and as it was saved."""
        kept = {}
        for name, template in template_of(self._trained, self.config.recipe).items():
            saved = {key.removesuffix(f".{name}"): x for key, x in state.items() if key.endswith(f".{name}")}
            del saved["weights"]
            for leaf, value in leaves_of(template).items():
                _require_like(saved.get(leaf), value, f"{leaf}.{name}", path)
            kept[name] = template, saved
        return kept


_RESTORE = "restore it from a copy, or train anew in another folder"


def _step_of(state: Tensors, path: Path) -> int:
    step = state.get("step")
    if step is None or step.numel() != 1 or step.dtype != torch.int64 or int(step) < 0:
        raise GrokinterpError(f"{path} does not say which step it holds; {_RESTORE}")
    return int(step)


def _require_like(saved: torch.Tensor | None, needed: torch.Tensor, name: str, path: Path) -> None:
    """Refuse what an optimizer of this kind does not keep."""
    if saved is None:
        raise GrokinterpError(f"{path} lacks {name}; {_RESTORE}")
    if saved.shape != needed.shape or saved.dtype != needed.dtype or not torch.isfinite(saved).all():
        found, wanted = f"{saved.dtype} {tuple(saved.shape)}", f"{needed.dtype} {tuple(needed.shape)}"
        raise GrokinterpError(f"{path}: {name} is {found}, not finite numbers of {wanted}; {_RESTORE}")
