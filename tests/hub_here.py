"""The Hub on this machine, for the code of README and documentation."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub, fake_hub


@contextlib.contextmanager
def hub_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """`hf://…` is answered here; what huggingface_hub keeps lies in `folder`."""
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    settings = {
        "HF_HUB_CACHE": str(folder / "hub"),
        "HF_TOKEN_PATH": str(folder / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
    }
    monkeypatch.setenv("HF_TOKEN", "hf_fake")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with fake_hub() as hub:
        settings["ENDPOINT"] = hub.url
        settings["HUGGINGFACE_CO_URL_TEMPLATE"] = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        for setting, value in settings.items():
            monkeypatch.setattr(constants, setting, value)
        yield hub
