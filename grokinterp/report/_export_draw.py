"""Images of figures, drawn by kaleido with a Chrome or Chromium that is installed."""

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from grokinterp.errors import GrokinterpError

# Of a PNG: figures are laid out in the 96 px per inch of CSS.
_SCALE = {"png": 300 / 96}
_BROWSER = "install Chromium or Chrome, or run `kaleido_get_chrome`"


def browser_needed() -> None:
    """Refuse where kaleido or its browser is missing, before anything that takes long."""
    try:
        from choreographer.browsers.chromium import Chromium
        from kaleido import Kaleido  # noqa: F401
    except ImportError:
        raise GrokinterpError(
            "figures are drawn by kaleido 1, which is not installed; pip install 'grokinterp[figures]'"
        ) from None
    path = Chromium.find_browser(skip_local=False)
    if path and Path(path).is_file():
        return
    if named := os.environ.get("BROWSER_PATH"):
        raise GrokinterpError(f"BROWSER_PATH={named} is no browser; name one that is installed, or {_BROWSER}")
    raise GrokinterpError(
        f"figures are drawn by a browser, and none was found; {_BROWSER}, or name one in BROWSER_PATH"
    )


def render_images(
    figures: Mapping[str, go.Figure], format: str, *, on_figure: Callable[[str], object] | None = None
) -> dict[str, bytes]:
    """Name → image, all drawn by one browser.

    In a thread of its own, because a notebook's has an event loop that runs already. Nothing is fetched: MathJax, which
    kaleido would load from a server, is left out.
    """

    async def draw() -> dict[str, bytes]:
        from kaleido import Kaleido

        options: Any = {"format": format, "scale": _SCALE.get(format, 1)}
        async with Kaleido(n=1, mathjax=False) as browser:
            images = {}
            for name, figure in figures.items():
                if on_figure:
                    on_figure(name)
                layout: Any = figure.layout
                size = {"width": layout.width, "height": layout.height}
                images[name] = await browser.calc_fig(figure, opts=options | size)
            return images

    with ThreadPoolExecutor(1) as thread:
        try:
            return thread.submit(asyncio.run, draw()).result()
        except Exception as error:
            if type(error).__name__ not in ("BrowserFailedError", "BrowserClosedError", "ChannelClosedError"):
                raise
            raise GrokinterpError(
                f"the browser that draws figures did not start ({type(error).__name__}); check that it runs by itself, "
                f"or {_BROWSER}"
            ) from error
