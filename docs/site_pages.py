"""A hook of mkdocs: what the pages list of the package comes from the package.

- `<!-- names of analysis -->` becomes the names that `grokinterp.analysis` exports, a section for each of its modules;
  `<!-- names at the top -->` a table of those of `grokinterp`, `<!-- commands -->` the commands with their options.
- `<!-- floors -->`, `<!-- reserved -->`: the tables of tests/test_house.py.
- `analysis.find_keys` in backticks, a room and a public name of it, becomes a link.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from site_docstrings import PACKAGE, PUBLIC, ROOMS, as_markdown

_NAMES = re.compile(r"<!-- names of (\w+) -->")
_QUALIFIED = re.compile(rf"(?<![\[`])`((?:grokinterp\.)?({'|'.join(ROOMS)})\.(\w+))`(?![`\]])")
_SUBSCRIPT = re.compile(r"((?<![\w/])(?:[A-Za-zαεπρφχσγΣ]|logit)′?|[\])])_([A-Za-z0-9ρφ]|in|out|pos|ij|hij)(?![\w/])")
_HOUSE = PACKAGE.parent / "tests" / "test_house.py"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Expand a page before it is rendered."""
    for mark, make in (
        ("<!-- names at the top -->", _names_at_the_top),
        ("<!-- commands -->", _commands),
        ("<!-- floors -->", _floors),
        ("<!-- reserved -->", _reserved),
    ):
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(make()))
    linked = "\n".join(_outside_code(markdown))
    return _NAMES.sub(lambda match: "\n".join(_names_of(match[1])), linked)


def on_post_page(output: str, *, page: Any, **_: object) -> str:
    """The theme's stand-in for Worker comes from here and not from a network."""
    return _with_own_worker(output, "../" * page.url.count("/"))


def on_post_template(output_content: str, *, template_name: str, **_: object) -> str:
    """The same for the page of addresses that do not exist."""
    return _with_own_worker(output_content, "/") if template_name == "404.html" else output_content


def _with_own_worker(html: str, root: str) -> str:
    return html.replace("https://unpkg.com/iframe-worker/shim", f"{root}javascripts/worker-from-disk.js")


def _outside_code(markdown: str) -> Iterator[str]:
    fenced = False
    for line in markdown.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        as_it_is = line.startswith(("#", "    "))
        yield line if fenced else _QUALIFIED.sub(_link, line if as_it_is else _subscripted(line))


def _subscripted(line: str) -> str:
    """W_E, w_k and S_5 as one sets them, outside of code and of addresses."""
    parts = re.split(r"(`+[^`]*`+|\]\([^)]*\)|<[^>]*>)", line)
    return "".join(
        part if number % 2 else _SUBSCRIPT.sub(r"\1<sub>\2</sub>", part) for number, part in enumerate(parts)
    )


def _link(match: re.Match[str]) -> str:
    shown, room, name = match.groups()
    return f"[`{shown}`][grokinterp.{room}.{name}]" if name in PUBLIC[room] else match[0]


def _names_of(room: str) -> Iterator[str]:
    modules: dict[str, list[str]] = {}
    for name, module in PUBLIC[room].items():
        modules.setdefault(module, []).append(name)
    for module, names in modules.items():
        if module:
            yield f"## {module.strip('_').replace('_', ' ').capitalize()}\n"
            yield f"{as_markdown(_docstring(room, module), room)}\n"
        for name in names:
            yield f"::: grokinterp.{room}.{name}\n"


def _docstring(*place: str) -> str:
    path = PACKAGE.joinpath(*place)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def _names_at_the_top() -> Iterator[str]:
    where = _assigned(PACKAGE / "__init__.py")["_WHERE"]
    yield "| name | room |\n|---|---|"
    yield from (f"| `grokinterp.{room}.{name}` | [{room}]({_page_of(room)}) |" for name, room in sorted(where.items()))


def _page_of(room: str) -> str:
    return "#the-error" if room == "errors" else f"{room}.md"


def _assigned(file: Path) -> dict[str, Any]:
    """The names that a module assigns literals to, with `|=` taken into account."""
    found: dict[str, Any] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(node, ast.Assign | ast.AugAssign) and isinstance(target, ast.Name):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                continue
            found[target.id] = found[target.id] | value if isinstance(node, ast.AugAssign) else value
    return found


def _floors() -> Iterator[str]:
    floors: dict[str, int] = _assigned(_HOUSE)["FLOORS"]
    yield "| floor | room | subject |\n|---|---|---|"
    for room, floor in sorted(floors.items(), key=lambda entry: -entry[1]):
        subject = re.sub(r"^Floor \d+: ", "", _docstring(room).split("\n\n")[0].replace("\n", " "))
        yield f"| {max(floor, 0)} | `grokinterp.{room}` | {subject[:1].upper()}{subject[1:]} |"


def _reserved() -> Iterator[str]:
    reserved: dict[str, set[str]] = _assigned(_HOUSE)["RESERVED"]
    yield "| package | where |\n|---|---|"
    for package, places in reserved.items():
        yield f"| `{package}` | {', '.join(f'`grokinterp/{place}`' for place in sorted(places))} |"


def _commands() -> Iterator[str]:
    from typer.main import get_command

    from grokinterp.cli import app

    for name, command in sorted(get_command(app).commands.items()):  # pyright: ignore
        yield f"## {name}\n"
        yield f"{command.help}\n"
        yield "| argument or option | meaning |\n|---|---|"
        for parameter in command.params:
            if parameter.name == "help":
                continue
            if parameter.param_type_name == "argument":
                shown = f"`{parameter.metavar or parameter.name.upper()}`"
            else:
                shown = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
            yield f"| {shown} | {(parameter.help or '').replace('|', '∣')} |"
        yield ""
