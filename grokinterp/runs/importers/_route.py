"""Which layout a file has: what it holds decides, and the names of files break ties."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from grokinterp.errors import GrokinterpError
from grokinterp.registry import Registry

from . import _chughtai, _custom, _nanda, _pizza, _transformer_lens
from ._contents import Contents, contents_of
from ._foreign import read_foreign
from ._layout import Asked, Found
from ._records import cut
from ._refusal import refusal
from ._state import prefixes, under
from ._steps import NamedStep, step_in_folder, step_in_name

T = TypeVar("T")


@dataclass(frozen=True)
class Layout:
    """How other people's files are recognised and read: one object per layout.

    - `name`: as `--layout` and `run.json` say it.
    - `reads`: whether what a file says is of this layout; must not raise.
    - `read`: the file, with what the user asked for, as a run before it is written.
    - `insisted`: recognises what a user's --layout makes of this layout, where that is more than `reads` does;
      `inside`: what can be a network among others' tensors, where the layout's parts have names that parts of others
      have, too.
    """

    name: str
    reads: Callable[[Contents], bool]
    read: Callable[[Contents, Asked], Found]
    insisted: Callable[[Contents], bool] | None = None
    inside: Callable[[Contents], bool] = lambda _: True


# In the order in which they are tried.
layouts = Registry(
    "layout",
    [
        Layout(_chughtai.LAYOUT, _chughtai.reads, _chughtai.read_file, lambda said: bool(said.state)),
        Layout(_pizza.LAYOUT, _pizza.reads, _pizza.read_file, lambda said: bool(said.state)),
        Layout(_nanda.LAYOUT, _nanda.reads, _nanda.read_file),
        Layout(_transformer_lens.DEMO, _transformer_lens.reads_demo, _transformer_lens.read_demo),
        Layout(_transformer_lens.LAYOUT, _transformer_lens.reads, _transformer_lens.read_file),
        Layout(_custom.LAYOUT, _custom.reads, _custom.read_file, inside=_custom.has_embedding),
    ],
)
# As the documentation lists them.
LAYOUTS = (
    _nanda.LAYOUT,
    _transformer_lens.DEMO,
    _chughtai.LAYOUT,
    _pizza.LAYOUT,
    _transformer_lens.LAYOUT,
    _custom.LAYOUT,
)


def register_layout(layout: Layout) -> Layout:
    """Let `import`, `import_run` and all that read other people's files know a layout of your own.

    It is asked before those of grokinterp, and after the layouts that are registered later. An installed package does
    the same by an entry point of the group `grokinterp.layouts`, which names a `Layout`.

    **Raises** `GrokinterpError` if there is a layout of this name.
    """
    if layout.name == "auto":
        raise GrokinterpError(
            "layout 'auto': that is no name of a layout, but asks for the one that fits; take another"
        )
    return layouts.add(layout)


def look(path: Path, *, by_name: bool = True) -> Contents:
    """What the file at `path` says, with the step that its name marks where the file states none."""
    said = contents_of(path, read_foreign(path))
    if said.step is not None or not by_name:
        return said
    named, of_file, its = step_in_name(path.stem), "the file's name", "its name"
    if named == NamedStep():
        named, of_file = step_in_folder(path.absolute().parent.name), "its folder's name"
        its = of_file
    if named.step is not None:
        note = f"Step {named.step:,} is that of {of_file}; the file states none."
        return replace(said, step=named.step, step_note=note)
    why = "the file states none"
    if named.candidates:
        why += f", and {its} may mean {' or '.join(f'{number:,}' for number in named.candidates)}"
    return replace(said, step_note=f"The step is unknown: {why}.")


def layout_of(said: Contents, layout: str = "auto") -> tuple[Layout, Contents] | None:
    """The layout that reads `said`, with the weights it reads; None if none does, or not the one insisted on.

    Where tensors of something else stand beside the network's, as those of a loss or a metric, the network is what
    stands under one prefix.
    """
    for entry in layouts:
        recognised = entry.reads if layout == "auto" else entry.insisted or entry.reads
        if layout in ("auto", entry.name) and _asked_of(entry, recognised, said):
            return entry, said
    if layout in (_chughtai.LAYOUT, _pizza.LAYOUT, _transformer_lens.DEMO):
        return None
    parts = {prefix: replace(said, state=under(said.state, prefix)) for prefix in prefixes(said.state)}
    found = []
    for prefix, part in parts.items():
        fits = (entry for entry in layouts if layout in ("auto", entry.name) and _asked_of(entry, entry.reads, part))
        found += [(prefix, entry, part) for entry in fits if entry.inside(part)][:1]
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(cut(prefix) for prefix, _, _ in found)
        raise GrokinterpError(
            f"{said.path} holds {len(found)} networks, under {names}; save the state dict of one alone"
        )
    prefix, entry, part = found[0]
    others = [name for name in said.state if not name.startswith(f"{prefix}.")]
    note = f"The network is what stands under {cut(prefix)}; {len(others)} other tensors ({_few(others)}) are not read."
    return entry, replace(part, notes=(*part.notes, note))


def read_said(said: Contents, layout: str, asked: Asked) -> Found:
    """`said` as the layout that fits it reads it; refuses with what there is, and what that lacks."""
    known = layout_of(said, layout)
    if known is None:
        fits = layout_of(said) if layout != "auto" else None
        raise refusal(said, layout, fits[0].name if fits else None)
    entry, said = known
    return replace(_asked_of(entry, entry.read, said, asked), layout=entry.name)


def _asked_of(entry: Layout, function: Callable[..., T], said: Contents, *more: Asked) -> T:
    """What a layout's own code says, which may be a stranger's."""
    try:
        return function(said, *more)
    except GrokinterpError:
        raise
    except Exception as error:
        raise GrokinterpError(
            f"{said.path}: the layout {entry.name} raised {type(error).__name__} ({error}); mend the layout, or name "
            "another with --layout"
        ) from error


def _few(names: list[str]) -> str:
    return ", ".join(cut(name, 60) for name in names[:3]) + (" …" if len(names) > 3 else "")
