"""Where a run was made: what its numbers may depend on beyond its configuration."""

import platform
from importlib.metadata import version
from typing import Any

import torch

from grokinterp.errors import GrokinterpError


def describe_environment(device: torch.device, threads: int) -> dict[str, Any]:
    """Versions, processor, threads and dtypes, for run.json."""
    packages = ("grokinterp", "torch", "transformer-lens", "numpy")
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": str(device),
        "threads": threads,
        "dtype": {"weights": "float32", "loss": "float64"},
    }


def resolve_device(name: str) -> torch.device:
    """The torch device called `name`, if this machine has it."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        have = [
            kind
            for kind, present in {
                "cpu": True,
                "cuda": torch.cuda.is_available(),
                "mps": torch.backends.mps.is_available(),
            }.items()
            if present
        ]
        raise GrokinterpError(
            f"training.device = {name!r}: not available here; this machine has {', '.join(have)}"
        ) from None
    return device
