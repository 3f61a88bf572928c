"""grokinterp trains networks that grok, keeps their checkpoints, and reads the algorithm out of them.

    import grokinterp

    run = grokinterp.train("quick", "runs/quick")      # or grokinterp.load_run(folder)
    report = grokinterp.analyze(run)
    report.finding, report.key_frequencies
    verdict = grokinterp.find_verdict(run)
    verdict.label, verdict.explained, verdict.judgement.reasons_against

`grokinterp.fourier` stands alone and needs NumPy only. Nothing heavy is imported before it is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import Report as Report
    from .analysis import analyze as analyze
    from .analysis import as_xarray as as_xarray
    from .analysis import progress as progress
    from .errors import GrokinterpError as GrokinterpError
    from .report import write_report as write_report
    from .report import write_verdict as write_verdict
    from .runs import Run as Run
    from .runs import RunConfig as RunConfig
    from .runs import Snapshot as Snapshot
    from .runs import as_devinterp as as_devinterp
    from .runs import import_run as import_run
    from .runs import load_run as load_run
    from .runs import snapshot as snapshot
    from .training import record as record
    from .training import train as train
    from .verdict import Verdict as Verdict
    from .verdict import compare as compare
    from .verdict import find_verdict as find_verdict

_WHERE = {
    "GrokinterpError": "errors",
    "Report": "analysis",
    "Run": "runs",
    "RunConfig": "runs",
    "Snapshot": "runs",
    "Verdict": "verdict",
    "analyze": "analysis",
    "as_devinterp": "runs",
    "as_xarray": "analysis",
    "compare": "verdict",
    "find_verdict": "verdict",
    "import_run": "runs",
    "load_run": "runs",
    "progress": "analysis",
    "record": "training",
    "snapshot": "runs",
    "train": "training",
    "write_report": "report",
    "write_verdict": "report",
}
_ROOMS = ("analysis", "errors", "fourier", "models", "report", "runs", "tasks", "training", "verdict")


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE, *_ROOMS])
