"""How much memory a computation needs, by its shapes, and whether this machine has it: said before, not by a crash."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, not_covered_by_fast_forward
from grokinterp.tasks import Task

from ._snapshot import is_large

Computation = Literal["training", "analysis", "quick verdict", "verdict"]
# The peak of a process: bytes in any case, per byte of all pairs' logits in float64, and per byte of their neurons in
# float32. Fitted to measured peaks, which docs/howto/train-your-own.md has.
_PEAKS: dict[Computation, tuple[float, float, float]] = {
    "training": (0.5e9, 1, 2.9),
    "analysis": (0.45e9, 2, 7.6),
    "quick verdict": (0.63e9, 2, 10),
    "verdict": (0.68e9, 2, 13.4),
}
_LARGE_GROUP = 1.25e9


def memory_needed(computation: Computation, task: Task, config: ModelConfig) -> float:
    """About how many bytes a process needs at its peak for `computation`, within a factor of 1.5.

    >>> from grokinterp.tasks import TaskConfig
    >>> needed = memory_needed("analysis", Task(TaskConfig(p=113)), ModelConfig())
    >>> f"{needed / 1e9:.1f} GB"
    '0.7 GB'
    """
    least, of_logits, of_neurons = _PEAKS[computation]
    logits, neurons = 8 * task.n_pairs * task.n_answers, 4 * task.n_pairs * config.d_mlp
    needed = least + of_logits * logits + of_neurons * neurons
    if "verdict" in computation and is_large(task, config) and task.structure and not task.structure.is_cyclic:
        # The logits in float32; all else from some pairs at a time.
        needed = _LARGE_GROUP + logits / 2
    if computation == "training" and not_covered_by_fast_forward(config, task):
        # The hooked model keeps what every layer computes at every position.
        per_position = config.n_layers * (2 * config.d_mlp + 10 * config.d_model)
        needed += 4 * task.n_pairs * len(task.positions) * per_position
    return needed


def require_memory(computation: Computation, task: Task, config: ModelConfig) -> None:
    """Refuse a computation that does not fit into the memory that this process has and can still get.

    **Raises** `GrokinterpError` with both numbers. Where the system does not tell what is free, nothing is refused.
    """
    free = available_memory()
    if free is None:
        return
    needed, has = memory_needed(computation, task, config), free + _own_memory()
    if needed > has:
        raise GrokinterpError(
            f"the {computation} of {task.n_pairs:,} pairs with {task.n_answers:,} answers and {config.d_mlp:,} neurons "
            f"needs about {needed / 1e9:.1f} GB of memory, this machine has {has / 1e9:.1f} GB free; take a smaller "
            "task (task.p) or network (model.d_mlp), end other programs, or take a machine with more memory"
        )


def available_memory() -> int | None:
    """Bytes that this process can still get: what the machine has free, and no more than its control group may have."""
    found = [free for free in (_free_of_machine(), _free_of_group()) if free is not None]
    return min(found, default=None)


def _free_of_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    # Elsewhere what it has at all; Windows does not say.
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _free_of_group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What the control group of a container leaves, in version 2 or 1; files that were read count as free."""
    for limit, used, statistics in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        with suppress(OSError, ValueError):
            most, now = int((root / limit).read_text()), int((root / used).read_text())
            lines = dict(line.split(maxsplit=1) for line in (root / statistics).read_text().splitlines())
            return max(0, most - now + int(lines.get("inactive_file", 0)))
    return None


def _own_memory() -> int:
    """What this process has now."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
