"""The measures as labelled arrays."""

from typing import Any

import numpy as np

from grokinterp.errors import GrokinterpError

from ._analyze import Report


def as_xarray(report: Report) -> Any:
    """The curves of `report` as an `xarray.Dataset`, float64; `report.curves.measures` has them as a pandas table.

    Every measure has the dimension `step`; `embedding_norms`, `logit_map_norms` and `logit_share` (see `Curves`) have
    `step` and `freq`, the frequencies 0 … ⌊n/2⌋ of a cyclic group, or `irrep`, the irreps' names. Where no group is
    known there are the measures alone. The attributes are the task, the run's path and the key frequencies or irreps.

    ```python
    data = grokinterp.as_xarray(grokinterp.analyze(run))
    data.logit_share.sel(freq=14).plot()
    ```

    Raises `GrokinterpError` if xarray is not installed.
    """
    try:
        import xarray
    except ImportError:
        raise GrokinterpError("as_xarray: xarray is not installed; pip install 'grokinterp[xarray]'") from None
    curves, structure = report.curves, report.run.task.structure
    measures = curves.measures.set_index("step")
    coordinates: dict[str, Any] = {"step": measures.index.to_numpy()}
    variables: dict[str, Any] = {str(name): ("step", values.to_numpy()) for name, values in measures.items()}
    attributes: dict[str, Any] = {"task": report.run.task.name, "run": str(report.run.path)}
    if structure is not None:
        dimension = "freq" if structure.is_cyclic else "irrep"
        names = structure.basis.irrep_names
        coordinates[dimension] = np.arange(len(names)) if structure.is_cyclic else np.array(names)
        attributes["keys"] = list(report.key_frequencies or report.key_irreps)
        for name in ("embedding_norms", "logit_map_norms", "logit_share"):
            variables[name] = (("step", dimension), getattr(curves, name))
    return xarray.Dataset(variables, coordinates, attributes)
