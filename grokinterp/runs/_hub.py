"""Runs on the Hugging Face Hub: `hf://user/repo`, whole folders both ways, nothing before it is asked for."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from grokinterp.errors import GrokinterpError

from ._files import refusals_explained
from ._model_card import Findings, model_card
from ._regular import require_inside

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from ._run import Run

# What a run folder holds; nothing else is sent, fetched or deleted.
RUN_FILES = ("run.json", "metrics.jsonl", "trainer_state.safetensors", "checkpoints/step_*.safetensors")
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
# `Path("hf://user/repo")` has one slash.
_ADDRESS = re.compile(rf"hf:/{{1,2}}(?P<repo>{_NAME}/{_NAME})(@(?P<revision>[^\s@]+))?/?")


@dataclass(frozen=True)
class HubAddress:
    """`hf://user/repo`, or `hf://user/repo@revision` with a branch, a tag or a commit.

    >>> HubAddress.parse("hf://someone/mod-113@v1")
    HubAddress(repo_id='someone/mod-113', revision='v1')
    """

    repo_id: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "HubAddress":
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise GrokinterpError(
                f"{text!r} is no address on the Hugging Face Hub; give hf://user/repo or hf://user/repo@revision"
            )
        return cls(match["repo"], match["revision"])

    def __str__(self) -> str:
        return f"hf://{self.repo_id}" + (f"@{self.revision}" if self.revision else "")


def is_hub_address(path: str | Path) -> bool:
    return re.match(r"hf:/", str(path)) is not None


def fetch_run_folder(address: HubAddress, *, token: str | None = None, endpoint: str | None = None) -> Path:
    """The run folder at `address` in the Hub's own cache, fetched where it is not there yet."""
    with _refusals_explained(str(address), "fetch", endpoint):
        from huggingface_hub import snapshot_download

        path = snapshot_download(
            address.repo_id,
            revision=address.revision,
            allow_patterns=list(RUN_FILES),
            token=token,
            endpoint=endpoint,
            library_name="grokinterp",
        )
    if not (Path(path) / "run.json").is_file():
        raise GrokinterpError(f"{address} is not a run folder: it holds no run.json (put there by Run.push_to_hub)")
    return Path(path)


def push_run_folder(
    run: "Run",
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    report: Findings | None = None,
    endpoint: str | None = None,
) -> str:
    """See `Run.push_to_hub`."""
    address = HubAddress.parse(f"hf://{repo_id}")
    if address.revision is not None:
        raise GrokinterpError(f"{repo_id!r} names a revision; give user/repo, a push goes to its main branch")
    card = model_card(run, repo_id, report)
    files = _run_files(run.path)
    for name in files:
        run.folder.require_unchanged(name)
    with _refusals_explained(str(address), "push to", endpoint):
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

        api = HfApi(endpoint=endpoint, token=token, library_name="grokinterp")
        api.create_repo(repo_id, private=private, exist_ok=True)
        _require_visibility(api, repo_id, private)
        # Checkpoints of an earlier push would otherwise mix with these.
        stale = [name for name in api.list_repo_files(repo_id) if _is_run_file(name) and name not in files]
        commit = api.create_commit(
            repo_id,
            operations=[
                *(CommitOperationAdd(name, str(run.path / name)) for name in files),
                CommitOperationAdd("README.md", card.encode()),
                *(CommitOperationDelete(name) for name in stale),
            ],
            commit_message=f"Run up to step {run.last_step:,}, from grokinterp",
        )
    return str(commit.repo_url)


def _run_files(folder: Path) -> list[str]:
    """What is sent of a run folder: no file that a symbolic link brings in from elsewhere."""
    with refusals_explained(folder, "read"):
        found = sorted(file for pattern in RUN_FILES for file in folder.glob(pattern) if file.is_file())
        for file in found:
            require_inside(file, folder)
    return [file.relative_to(folder).as_posix() for file in found]


def _is_run_file(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in RUN_FILES)


def _require_visibility(api: "HfApi", repo_id: str, private: bool | None) -> None:
    """A repository that exists keeps its visibility whatever `create_repo` is asked for."""
    is_private = private if private is None else bool(api.repo_info(repo_id).private)
    if is_private != private:
        found = "private" if is_private else "public"
        raise GrokinterpError(
            f"{repo_id} exists and is {found}, private={private} was asked for; nothing was pushed: change it on the "
            "Hub, or leave private out"
        )


@contextmanager
def _refusals_explained(address: str, verb: str, endpoint: str | None) -> Iterator[None]:
    """Turn what the Hub, the network or a missing package says into one line for the user."""
    try:
        from huggingface_hub import constants, errors
    except ImportError:
        raise GrokinterpError(
            f"cannot {verb} {address}: huggingface_hub is not installed; pip install 'grokinterp[hub]'"
        ) from None
    start = f"cannot {verb} {address}:"
    try:
        yield
    except errors.GatedRepoError as error:
        raise GrokinterpError(f"{start} its owner grants access one by one; ask for it on its page") from error
    except errors.RepositoryNotFoundError as error:
        raise GrokinterpError(
            f"{start} no such repository, or one that needs a token; check the name, or log in with `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise GrokinterpError(f"{start} no such revision; give a branch, a tag or a commit of it") from error
    except errors.HFValidationError as error:
        raise GrokinterpError(f"{start} {_first_line(error)}") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        advice = "log in with `hf auth login`, or give a token that may" if status in (401, 403) else "try again later"
        raise GrokinterpError(f"{start} the Hub answered {status} {error.response.reason_phrase}; {advice}") from error
    except RuntimeError as error:  # What an upload that fails on its way to the storage is wrapped in.
        raise GrokinterpError(f"{start} {_first_line(error)} {_first_line(error.__cause__)}; try again") from error
    except Exception as error:
        # The bases are the errors of the HTTP library, which differs among versions of the client, and the system's.
        if not isinstance(error, errors.HfHubHTTPError.__bases__):
            raise
        raise GrokinterpError(
            f"{start} {endpoint or constants.ENDPOINT} cannot be reached ({_first_line(error)}); check the network, "
            "or HF_ENDPOINT"
        ) from error


def _first_line(error: BaseException | None) -> str:
    return "" if error is None else next(iter(str(error).strip().splitlines()), type(error).__name__)
