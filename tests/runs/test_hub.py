"""Runs pushed to and fetched from a Hub that runs in this process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fake_hub import FakeHub, fake_hub

import grokinterp
from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, RunConfig, load_run, model_card
from grokinterp.training import train

pytest.importorskip("huggingface_hub")
REPO = "someone/mod-7"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    home = tmp_path / "hf-home"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # The fake speaks LFS, which the client takes where xet is switched off.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_fake")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with fake_hub() as hub:
        # What HF_ENDPOINT sets when the client is imported.
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        files = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        yield hub


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Run:
    """A copy that a test may change."""
    return load_run(shutil.copytree(tiny_run.path, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_run_comes_back_as_it_was_pushed(hub: FakeHub, run: Run):
    (run.path / "report").mkdir()
    (run.path / "report" / "report.html").write_text("not part of the run")
    (run.path / ".env").write_text("nor is this")
    report = grokinterp.analyze(run)
    assert run.push_to_hub(REPO, report=report, endpoint=hub.url) == f"{hub.url}/{REPO}"
    fetched = load_run(f"hf://{REPO}", endpoint=hub.url)
    pushed = contents(run.path)
    del pushed["report/report.html"], pushed[".env"]
    assert "trainer_state.safetensors" in pushed
    assert contents(fetched.path) == pushed
    assert set(hub.repositories[REPO].files) == {*pushed, "README.md", ".gitattributes"}
    ours, theirs = report.to_dict(), grokinterp.analyze(fetched).to_dict()
    assert ours.pop("run") and theirs.pop("run")
    assert ours == theirs


def test_the_endpoint_and_the_token_are_those_of_the_environment(hub: FakeHub, run: Run):
    assert run.push_to_hub(REPO) == f"{hub.url}/{REPO}"
    assert load_run(Path("hf://" + REPO)).steps == run.steps


def test_one_push_is_one_commit(hub: FakeHub, run: Run):
    run.push_to_hub(REPO)
    assert sum("/commit/" in request for request in hub.requests) == 1


def test_a_second_push_leaves_no_checkpoint_of_the_first(hub: FakeHub, run: Run):
    run.push_to_hub(REPO)
    first = hub.repositories[REPO].refs["main"]
    hub.repositories[REPO].files["notes.txt"] = b"somebody's"
    run.folder.checkpoint_path(10).unlink()
    run.push_to_hub(REPO)
    assert load_run(f"hf://{REPO}").steps == [0, 1, 2, 4, 8, 20, 30, 40]
    assert load_run(f"hf://{REPO}@{first}").steps == [0, 1, 2, 4, 8, 10, 20, 30, 40]
    assert hub.repositories[REPO].files["notes.txt"] == b"somebody's"


def test_the_card_says_what_was_found_and_how_to_load_it(hub: FakeHub, run: Run):
    report = grokinterp.analyze(run)
    run.push_to_hub(REPO, report=report)
    card = hub.repositories[REPO].files["README.md"].decode()
    _, front, text = card.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "grokinterp",
        "tags": ["grokking", "mechanistic-interpretability", "transformer-lens", "grokinterp:add"],
    }
    assert all(sentence in text for sentence in report.finding)
    assert f'grokinterp.load_run("hf://{REPO}")' in text
    assert "| test_accuracy | " in text
    assert "| d_model | 16 |" in text
    assert "| p | 7 |" in text


def test_without_a_report_the_card_has_no_numbers(hub: FakeHub, run: Run):
    run.push_to_hub(REPO)
    card = hub.repositories[REPO].files["README.md"].decode()
    assert "A transformer trained on (a + b) mod 7" in card
    assert "## Numbers" not in card


def test_the_card_of_a_network_without_attention(tiny_config: RunConfig, tmp_path: Path):
    config = tiny_config.with_settings(["model.architecture=mlp", "training.steps=1"])
    card = model_card(train(config, tmp_path / "mlp", progress=False), REPO)
    assert "A network without attention trained on (a + b) mod 7" in card
    assert "HookedTransformer" not in card


def test_a_private_repository_needs_its_token(hub: FakeHub, run: Run, monkeypatch: pytest.MonkeyPatch):
    run.push_to_hub(REPO, private=True)
    assert hub.repositories[REPO].private
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(GrokinterpError, match="no such repository, or one that needs a token"):
        load_run(f"hf://{REPO}")
    assert load_run(f"hf://{REPO}", token="hf_fake").steps == run.steps


def test_nothing_private_is_pushed_where_everybody_reads(hub: FakeHub, run: Run):
    run.push_to_hub(REPO)
    before = hub.repositories[REPO].refs["main"]
    with pytest.raises(GrokinterpError, match=f"{REPO} exists and is public, private=True was asked for"):
        run.push_to_hub(REPO, private=True)
    assert hub.repositories[REPO].refs["main"] == before


@pytest.mark.parametrize("address", ["hf://someone", "hf://", "hf://a/b/c", "hf://a/b@", "hf:///a/b", "hf://a/../b"])
def test_a_malformed_address_is_refused(address):
    with pytest.raises(GrokinterpError) as raised:
        load_run(address)
    assert str(raised.value) == (
        f"{address!r} is no address on the Hugging Face Hub; give hf://user/repo or hf://user/repo@revision"
    )


def test_a_push_to_a_revision_is_refused(run):
    with pytest.raises(GrokinterpError, match="'a/b@v1' names a revision; give user/repo"):
        run.push_to_hub("a/b@v1")


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_there():
    with pytest.raises(GrokinterpError) as raised:
        load_run("hf://no/body")
    assert str(raised.value) == (
        "cannot fetch hf://no/body: no such repository, or one that needs a token; check the name, or log in with "
        "`hf auth login`"
    )


@pytest.mark.usefixtures("hub")
def test_a_revision_that_is_not_there(run: Run):
    run.push_to_hub(REPO)
    with pytest.raises(GrokinterpError, match=f"cannot fetch hf://{REPO}@v9: no such revision; give a branch"):
        load_run(f"hf://{REPO}@v9")


def test_a_repository_that_holds_no_run(hub: FakeHub, run: Run):
    run.push_to_hub(REPO)
    hub.repositories[REPO].commit({"model.bin": b"weights"})
    with pytest.raises(GrokinterpError, match=f"hf://{REPO} is not a run folder: it holds no run.json"):
        load_run(f"hf://{REPO}")


@pytest.mark.usefixtures("hub")
def test_no_network(run: Run):
    nobody = "http://127.0.0.1:9"  # The discard port: nothing listens.
    for attempt, verb in (
        (lambda: load_run(f"hf://{REPO}", endpoint=nobody), "fetch"),
        (lambda: run.push_to_hub(REPO, endpoint=nobody), "push to"),
    ):
        with pytest.raises(GrokinterpError) as raised:
            attempt()
        message = str(raised.value)
        assert message.startswith(f"cannot {verb} hf://{REPO}: {nobody} cannot be reached (")
        assert message.endswith("; check the network, or HF_ENDPOINT") and "\n" not in message


def test_a_token_that_may_not_write(hub: FakeHub, run: Run):
    hub.refuse = 403
    with pytest.raises(GrokinterpError, match=f"cannot push to hf://{REPO}: the Hub answered 403 Forbidden; log in"):
        run.push_to_hub(REPO)


def test_an_upload_that_fails_on_its_way(hub: FakeHub, run: Run):
    hub.refuse_uploads = True
    with pytest.raises(GrokinterpError) as raised:
        run.push_to_hub(REPO)
    assert str(raised.value).startswith(f"cannot push to hf://{REPO}: Error while uploading 'checkpoints/step_0000")
    assert str(raised.value).endswith("; try again") and "\n" not in str(raised.value)
    assert set(hub.repositories[REPO].files) == {".gitattributes"}


def test_a_report_of_another_run_is_refused(run, tiny_run):
    report = grokinterp.analyze(tiny_run)
    with pytest.raises(GrokinterpError, match=f"the report is of {tiny_run.path}, not of {run.path}"):
        run.push_to_hub(REPO, report=report)


def test_without_huggingface_hub(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(GrokinterpError) as raised:
        load_run(f"hf://{REPO}")
    assert str(raised.value) == (
        f"cannot fetch hf://{REPO}: huggingface_hub is not installed; pip install 'grokinterp[hub]'"
    )


def test_reading_a_folder_does_not_import_huggingface_hub(tiny_run):
    code = f"import sys; from grokinterp import load_run; load_run({str(tiny_run.path)!r}); print(len(sys.modules))"
    code += "; assert 'huggingface_hub' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
