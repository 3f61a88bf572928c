"""How docstrings become Markdown: examples with >>> become code, and public names in backticks lead to their entry.

Used by mkdocstrings (mkdocs.yml); the docstrings themselves stay as `help()` shows them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import griffe

PACKAGE = Path(__file__).parents[1] / "grokinterp"
ROOMS = ("analysis", "errors", "fourier", "models", "report", "runs", "tasks", "training", "verdict")
_FENCE = re.compile(r"^\s*```")


def exported(room: str) -> dict[str, str]:
    """Public names of a room → the module each is defined in, in the order of its `__init__`."""
    if not (PACKAGE / room).is_dir():
        tree = ast.parse((PACKAGE / f"{room}.py").read_text(encoding="utf-8"))
        return {node.name: "" for node in tree.body if isinstance(node, ast.ClassDef)}
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    return {
        alias.name: node.module or ""
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
        if not alias.name.startswith("_")
    }


PUBLIC = {room: exported(room) for room in ROOMS}


def place_of(name: str, room: str) -> str | None:
    """The path of `name` as a reader of `room` means it: `find_keys`, `analysis.find_keys`, `grokinterp.analysis…`."""
    first, _, rest = name.removeprefix("grokinterp.").rpartition(".")
    if first:
        return f"grokinterp.{first}.{rest}" if rest in PUBLIC.get(first, {}) else None
    rooms = [other for other in (room, *ROOMS) if rest in PUBLIC.get(other, {})]
    # A name of one letter, or a common word, is a variable.
    return f"grokinterp.{rooms[0]}.{rest}" if rooms and (rest[0].isupper() or "_" in rest) else None


def linked(line: str, room: str, own: str) -> str:
    """A line of text with its public names as links."""

    def link(match: re.Match[str]) -> str:
        name = match[1].removesuffix("()")
        place = place_of(name, room)
        return match[0] if place is None or place == own else f"[`{match[1]}`][{place}]"

    return re.sub(r"(?<![\[`])`([\w.]+(?:\(\))?)`(?![`\]])", link, line)


def unlinked(line: str) -> str:
    """A line in which `table[g][h]`, where it is not in backticks, is no link."""
    parts = line.split("`")
    return "`".join(part if number % 2 else part.replace("][", r"]\[") for number, part in enumerate(parts))


def as_markdown(text: str, room: str, own: str = "") -> str:
    """A docstring with its doctest blocks fenced and its names linked."""
    lines, code, fenced = [], False, False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        indent = line[: len(line) - len(line.lstrip())]
        if not fenced and not code and line.lstrip().startswith(">>> "):
            lines += ["", f"{indent}```pycon"]
            code = True
        elif code and not line.strip():
            lines.append("```")
            code = False
        plain = not (code or fenced or line.startswith("    "))
        lines.append(linked(unlinked(line), room, own) if plain else line)
    return "\n".join([*lines, *(["```"] if code else [])])


class Docstrings(griffe.Extension):
    """Rewrites every docstring once, after its module is read, and leaves out what says nothing."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """The fields of a dataclass are in its signature and, where there is more to say, in its docstring."""
        for module in _modules(pkg):
            for found in module.classes.values():
                if not found.is_alias and any("dataclass" in str(part.value) for part in found.decorators):
                    # Of its own: those that it inherits belong to the class that they are from.
                    own = [(name, member) for name, member in found.attributes.items() if name in found.members]
                    for name, member in own:
                        if "property" not in member.labels and not member.docstring:
                            found.del_member(name)

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        if obj.docstring:
            parts = obj.path.split(".")
            room = parts[1] if len(parts) > 1 else ""
            obj.docstring.value = as_markdown(obj.docstring.value, room, f"grokinterp.{room}.{obj.name}")


def _modules(module: griffe.Module) -> Iterator[griffe.Module]:
    yield module
    for inner in module.modules.values():
        if not inner.is_alias:
            yield from _modules(inner)
