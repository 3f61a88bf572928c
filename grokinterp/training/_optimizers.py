"""Optimizers by name, and what they keep as tensors: a kind is one object, ours or a stranger's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.registry import Registry
from grokinterp.runs import Tensors, TrainingConfig

Parameters = list[torch.nn.Parameter]
Options = dict[str, int | float]
# Numbers among tensors, in the names of a saved state.
_NUMBER = ":number"


@dataclass(frozen=True)
class Optimizer:
    """A kind of optimizer: one object, which training builds and whose state it saves whatever that holds.

    - `name`: that of `training.optimizer`.
    - `build`: from the trained parameters, the recipe (`learning_rate`, `weight_decay`, `beta1`, …) and the kind's own
      options, a `torch.optim.Optimizer`. Its rate is set before each call (`TrainingConfig.rate`). What it keeps of a
      parameter in `state`, tensors and numbers, also in lists and dictionaries, is saved and restored as it is.
    - `options`: settings that only this kind has, with their defaults: `training.optimizer_options`.
    """

    name: str
    build: Callable[[Parameters, TrainingConfig, Options], torch.optim.Optimizer]
    options: Mapping[str, int | float] = field(default_factory=dict)


def _of_adam(kind: type[torch.optim.Optimizer]) -> Callable[[Parameters, TrainingConfig, Options], Any]:
    def build(parameters: Parameters, recipe: TrainingConfig, options: Options) -> torch.optim.Optimizer:
        del options
        settings: dict[str, Any] = {
            "lr": recipe.learning_rate,
            "weight_decay": recipe.weight_decay,
            "betas": (recipe.beta1, recipe.beta2),
            "eps": recipe.epsilon,
            "fused": parameters[0].device.type in ("cpu", "cuda", "mps"),
        }
        return kind(parameters, **settings)

    return build


def _sgd(parameters: Parameters, recipe: TrainingConfig, options: Options) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, momentum=options["momentum"]
    )


optimizers = Registry(
    "optimizer",
    [
        Optimizer("adamw", _of_adam(torch.optim.AdamW)),
        # With weight decay as part of the gradient (L2), which Adam then rescales: another thing than AdamW's.
        Optimizer("adam", _of_adam(torch.optim.Adam)),
        Optimizer("sgd", _sgd, {"momentum": 0.9}),
    ],
)


def register_optimizer(optimizer: Optimizer) -> Optimizer:
    """Let training know an optimizer of your own, by its name; an installed package does so by an entry point.

    The entry point's group is `grokinterp.optimizers`, and it names an `Optimizer`.

    **Raises** `GrokinterpError` if there is an optimizer of this name.
    """
    return optimizers.add(optimizer)


def build_optimizer(parameters: Parameters, recipe: TrainingConfig) -> torch.optim.Optimizer:
    """The optimizer that a recipe names.

    **Raises** `GrokinterpError` for a name that nobody registered, and for an option that its kind does not have.
    """
    kind = optimizers[recipe.optimizer]
    unknown = sorted(recipe.optimizer_options.keys() - kind.options.keys())
    if unknown:
        known = ", ".join(kind.options) or "none"
        raise GrokinterpError(
            f"training.optimizer_options: {kind.name} has no option {unknown[0]!r}; it has {known}; correct it"
        )
    return kind.build(parameters, recipe, {**kind.options, **recipe.optimizer_options})


def state_of(optimizer: torch.optim.Optimizer, trained: Mapping[str, torch.nn.Parameter], step: int) -> Tensors:
    """What an optimizer keeps before call `step`, by `what.parameter`; a count of its calls is left out.

    >>> weight = torch.nn.Parameter(torch.ones(2))
    >>> sgd = torch.optim.SGD([weight], momentum=0.9)
    >>> sgd.state[weight] = {"momentum_buffer": torch.zeros(2), "seen": [3, torch.ones(1)]}
    >>> sorted(state_of(sgd, {"W": weight}, 1))
    ['momentum_buffer.W', 'seen.0:number.W', 'seen.1.W']
    """
    return {
        f"{path}.{name}": value
        for name, parameter in trained.items()
        for path, value in _leaves(optimizer.state.get(parameter, {}))
        if not (path.removesuffix(_NUMBER) == "step" and float(value) == step)
    }


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, bool | int | float):
        yield path + _NUMBER, torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
    elif isinstance(value, Mapping | list | tuple):
        inner = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, entry in inner:
            yield from _leaves(entry, f"{path}.{key}" if path else str(key))
    elif value is not None:
        raise GrokinterpError(
            f"the optimizer keeps {path} of type {type(value).__name__}: tensors and numbers can be saved; keep those"
        )


def template_of(parameters: Mapping[str, torch.nn.Parameter], recipe: TrainingConfig) -> dict[str, dict[str, Any]]:
    """Parameter → what its optimizer keeps of it after one call, made on copies."""
    copies = {name: torch.nn.Parameter(parameter.detach().clone()) for name, parameter in parameters.items()}
    for copy in copies.values():
        copy.grad = torch.zeros_like(copy)
    optimizer = build_optimizer(list(copies.values()), recipe)
    optimizer.step()
    return {name: dict(optimizer.state.get(copy, {})) for name, copy in copies.items()}


def leaves_of(state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Path → tensor or number of what is kept of one parameter, but for the count of calls."""
    return {path: value for path, value in _leaves(state) if path.removesuffix(_NUMBER) != "step"}


def restored(template: Mapping[str, Any], saved: Mapping[str, torch.Tensor], step: int, device: torch.device) -> Any:
    """What is kept of one parameter, from its saved leaves; a count that was left out is that of the step."""
    found: dict[str, Any] = {}
    for path, tensor in saved.items():
        *outer, last = path.removesuffix(_NUMBER).split(".")
        place = found
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = tensor.item() if path.endswith(_NUMBER) else tensor.to(device)
    if "step" in template and "step" not in found:
        count = template["step"]
        found["step"] = torch.full_like(count, step) if isinstance(count, torch.Tensor) else type(count)(step)
    return _listed(found)


def _listed(value: Any) -> Any:
    """Dictionaries by number are the lists that they were."""
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(entry) for key, entry in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
