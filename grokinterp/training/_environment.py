"""Where a run was made: what its numbers may depend on beyond its configuration."""

import platform
from importlib.metadata import version

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Environment


def describe_environment(device: torch.device, threads: int, loss_dtype: str = "float64") -> Environment:
    """Versions, processor, threads and dtypes, for run.json."""
    packages = ("grokinterp", "torch", "transformer-lens", "numpy")
    return Environment(
        versions={"python": platform.python_version()} | {name: version(name) for name in packages},
        system=f"{platform.system()} {platform.machine()}",
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        device=str(device),
        threads=threads,
        dtype={"weights": "float32", "loss": loss_dtype},
    )


def resolve_device(name: str) -> torch.device:
    """The torch device called `name`, if this machine has it."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    have = ", ".join(kind for kind, is_there in present.items() if is_there)
    refusal = GrokinterpError(f"training.device = {name!r}: not available here; this machine has {have}")
    if not present.get(name.partition(":")[0]):
        raise refusal
    try:
        return torch.zeros(1, device=torch.device(name)).device
    except (RuntimeError, AssertionError):  # Such as cuda:7 on a machine with one GPU.
        raise refusal from None
