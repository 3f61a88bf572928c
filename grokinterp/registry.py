"""Kinds by name: ours, those of installed packages, and those that a notebook adds."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Generic, Protocol, TypeVar, runtime_checkable

from .errors import GrokinterpError


@runtime_checkable
class Named(Protocol):
    """What can be registered."""

    @property
    def name(self) -> str: ...


Kind = TypeVar("Kind", bound=Named)


class Registry(Generic[Kind]):
    """Kinds of one sort, in the order in which they are asked.

    **Arguments:**

    - `sort`: what they are, in one word, such as `layout`; installed packages register theirs as entry points of the
      group `grokinterp.<sort>s`, which are loaded when the registry is first looked at.
    - `ours`: those of grokinterp. Others come before them, the latest first: whoever adds a kind means it.

    >>> from collections import namedtuple
    >>> Layout = namedtuple("Layout", "name")
    >>> layouts = Registry("layout", [Layout("nanda")])
    >>> layouts.add(Layout("mine")).name, layouts.names
    ('mine', ('mine', 'nanda'))
    >>> layouts.add(Layout("mine"))
    Traceback (most recent call last):
    grokinterp.errors.GrokinterpError: layout 'mine' is registered already; give it another name
    """

    def __init__(self, sort: str, ours: list[Kind]) -> None:
        self.sort = sort
        self._kinds = {kind.name: kind for kind in ours}
        self._is_loaded = False

    def add(self, kind: Kind) -> Kind:
        """Register a kind and return it.

        **Raises** `GrokinterpError` if there is one of this name.
        """
        if kind.name in self._kinds:
            raise GrokinterpError(f"{self.sort} {kind.name!r} is registered already; give it another name")
        self._kinds = {kind.name: kind, **self._kinds}
        return kind

    def remove(self, name: str) -> None:
        """Forget a kind, as a notebook does before it defines its own again."""
        del self._kinds[self[name].name]

    def __getitem__(self, name: str) -> Kind:
        if name not in self.names:
            raise GrokinterpError(f"{self.sort} {name!r}: unknown; choose one of {', '.join(self.names)}")
        return self._kinds[name]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[Kind]:
        self._load()
        return iter(tuple(self._kinds.values()))

    @property
    def names(self) -> tuple[str, ...]:
        self._load()
        return tuple(self._kinds)

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._is_loaded = True
        for entry in entry_points(group=f"grokinterp.{self.sort}s"):
            try:
                kind = entry.load()
            except Exception as error:
                raise GrokinterpError(
                    f"{self.sort} {entry.name!r} of an installed package ({entry.value}) cannot be loaded "
                    f"({type(error).__name__}: {error}); mend or remove that package"
                ) from error
            self.add(kind)
