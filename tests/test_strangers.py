"""A run folder of a stranger: it reads no file of this machine, writes none elsewhere, hangs nothing, and says its text
without steering the terminal."""

import errno
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.table import Table
from test_cli_open import ask

from grokinterp.analysis import analyze
from grokinterp.cli._live import is_stale
from grokinterp.cli._serve import MOST_CONNECTIONS, file_server
from grokinterp.cli._terminal import console
from grokinterp.errors import GrokinterpError
from grokinterp.guard import printable, read_json
from grokinterp.report import was_made_here, write_report
from grokinterp.report._made_here import write_here
from grokinterp.report._write import _StepsFolder
from grokinterp.runs import RunConfig, RunFolder, load_run
from grokinterp.runs._hub import _run_files
from grokinterp.runs._regular import MOST_OF_METRICS, MOST_OF_RECORD
from grokinterp.tasks import TaskConfig

SECRET = "0,1\n1,0\n# the secret of this machine\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the user's, outside every run folder."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret.txt").write_text(SECRET)
    return tmp_path / "home" / "secret.txt"


@pytest.fixture
def theirs(tiny_run, tmp_path: Path) -> Path:
    """A stranger's run folder, which a test may make hostile."""
    return Path(shutil.copytree(tiny_run.path, tmp_path / "theirs"))


def changed(folder: Path, section: str, **values: object) -> None:
    record = json.loads((folder / "run.json").read_text())
    record["config"][section] |= values
    (folder / "run.json").write_text(json.dumps(record))


# What `open` serves.


@pytest.fixture
def hostile(theirs: Path, secret: Path) -> Path:
    """The attack: a page of the stranger's own, and links and files with the names that are served."""
    report = theirs / "report"
    (report / "report_steps").mkdir(parents=True)
    (report / "report.html").write_text("<script>fetch('/measures.csv').then(send)</script>")
    (report / "measures.csv").symlink_to(secret)
    os.link(secret, report / "report.json")
    (report / "report_steps" / "step-0-a1.js").symlink_to(secret)
    (report / "report_steps" / "step-1-a1.js").write_text("steal()")
    return report


@contextmanager
def served(report: Path, accepts) -> Iterator[int]:
    files = {f"/{name}": report / name for name in ("report.html", "report.json", "measures.csv")}
    with file_server(files, folder=report / "report_steps", accepts=accepts) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving.server_port
        serving.shutdown()
        thread.join()


NAMES = ("report.html", "report.json", "measures.csv", "report_steps/step-0-a1.js", "report_steps/step-1-a1.js")


def test_nothing_is_served_that_was_not_made_here(hostile: Path):
    with served(hostile, was_made_here) as port:
        assert {ask(port, f"/{name}")[0] for name in NAMES} == {404}


def test_a_trusted_page_still_reads_no_file_of_this_machine(hostile: Path):
    with served(hostile, lambda _: True) as port:
        answers = {name: ask(port, f"/{name}") for name in NAMES}
    assert {name for name, (status, _, _) in answers.items() if status == 200} == {
        "report.html",
        "report.json",  # A hard link, which only this machine's own user can have made.
        "report_steps/step-1-a1.js",
    }


def test_a_folder_of_scripts_that_leads_out_is_not_served(hostile: Path, tmp_path: Path):
    shutil.move(hostile / "report_steps", tmp_path / "elsewhere")
    (hostile / "report_steps").symlink_to(tmp_path / "elsewhere")
    with served(hostile, lambda _: True) as port:
        assert ask(port, "/report_steps/step-1-a1.js")[0] == 404


def test_pipes_and_devices_under_served_names_hang_nothing(hostile: Path):
    for name in ("report.html", "report.json", "measures.csv"):
        (hostile / name).unlink()
    os.mkfifo(hostile / "report.html")
    (hostile / "report.json").symlink_to("/dev/zero")
    (hostile / "measures.csv").mkdir()
    with served(hostile, lambda _: True) as port:
        assert {ask(port, f"/{name}")[0] for name in NAMES[:3]} == {404}


def test_a_page_may_ask_for_nothing_elsewhere(hostile: Path):
    with served(hostile, lambda _: True) as port:
        for name in ("report.html", "nothing.html"):
            headers = ask(port, f"/{name}")[1]
            policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
            assert policy["default-src"] == "'none'"
            assert "connect-src" not in policy
            assert policy["script-src"] == "'self' 'unsafe-inline'"
            assert {policy[rule] for rule in ("form-action", "base-uri", "frame-ancestors")} == {"'none'"}
            assert headers["Referrer-Policy"] == "no-referrer"


def test_a_strangers_page_is_made_anew_unless_it_is_trusted(theirs: Path):
    report, checkpoint = theirs / "report", theirs / "checkpoints" / "step_000040.safetensors"
    report.mkdir()
    (report / "report.html").write_text("theirs")
    (report / "report.json").write_text('{"final": {"step": 40}}')
    assert is_stale(report, checkpoint, 40, was_made_here)
    assert not is_stale(report, checkpoint, 40, lambda _: True)
    (report / "report.json").write_text("[" * 100_000)
    assert is_stale(report, checkpoint, 40, lambda _: True)


def test_what_was_made_here_is_known_in_another_process_and_to_this_version_alone(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    write_here(tmp_path / "page.html", "ours")
    monkeypatch.setattr("grokinterp.report._made_here._IN_THIS_PROCESS", set())
    assert was_made_here(b"ours")
    assert not was_made_here(b"theirs")
    monkeypatch.setattr("grokinterp.report._made_here._version", lambda: "0.0")
    assert not was_made_here(b"ours")


def test_without_a_state_folder_this_process_knows_what_it_made(tmp_path: Path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    write_here(tmp_path / "page.html", "a page without a state folder")
    assert was_made_here(b"a page without a state folder")


def test_the_list_of_pages_does_not_grow_for_ever(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("grokinterp.report._made_here._MOST", 325)
    for number in range(20):
        write_here(tmp_path / "page.html", f"page {number}")
    monkeypatch.setattr("grokinterp.report._made_here._IN_THIS_PROCESS", set())
    assert was_made_here(b"page 19")
    assert not was_made_here(b"page 0")
    assert (tmp_path / "grokinterp" / "pages.txt").stat().st_size < 475


def test_a_page_beside_the_run_reads_no_script_that_a_stranger_put_under_its_name(tmp_path: Path):
    steps = _StepsFolder(tmp_path / "report_steps")
    (tmp_path / "report_steps").mkdir()
    for content, place in (("theirs", "step-0-a1.js"), ("ours", "step-1-a1.js")):
        (tmp_path / "report_steps" / place).write_text(content)
    for name in ("step-0-a1.js", "step-1-a1.js"):
        steps.keep(name, "ours")
        assert (tmp_path / "report_steps" / name).read_text() == "ours"


def test_connections_are_bounded_and_those_that_leave_are_not_mentioned(hostile: Path, capfd):
    with served(hostile, lambda _: True) as port:
        silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(MOST_CONNECTIONS)]
        _wait_for(lambda: _is_refused(port))
        for connection in silent:
            # Gone without a farewell: the server meets a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        _wait_for(lambda: not _is_refused(port))
    assert capfd.readouterr() == ("", "")


def _is_refused(port: int) -> bool:
    try:
        return ask(port, "/report.html")[0] != 200
    except OSError:
        return True


def _wait_for(condition) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to be")


# What a stored run may name.


@pytest.mark.parametrize("table", ["{secret}", "/dev/zero", "{pipe}", "no-such-file", "/proc/self/environ"])
def test_a_stored_table_is_its_rows_and_no_path(theirs: Path, secret: Path, tmp_path: Path, run_command, table: str):
    os.mkfifo(tmp_path / "pipe")
    changed(theirs, "task", operation="table", table=table.format(secret=secret, pipe=tmp_path / "pipe"))
    for command in ("info", "analyze"):
        status, out, error = run_command(command, theirs)
        assert (status, out) == (2, "")
        assert "a stored table is its rows, a list" in error
        assert "the secret" not in error


def test_only_the_users_own_settings_name_a_table(tmp_path: Path):
    path = tmp_path / "mine.csv"
    path.write_text("0,1\n1,0\n")
    assert TaskConfig(operation="table", table=path).table == ("0,1", "1,0")
    assert RunConfig().with_settings(["task.operation=table", f"task.table={path}"]).task.table == ("0,1", "1,0")
    assert RunConfig.stored({"task": {"operation": "table", "table": ["0,1", "1,0"]}}).task.table == ("0,1", "1,0")


@pytest.mark.parametrize("path", ["/dev/zero", "{pipe}"])
def test_even_the_users_own_table_must_be_a_file(tmp_path: Path, path: str):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GrokinterpError, match="it is no regular file; give the path of a CSV file"):
        TaskConfig(operation="table", table=path.format(pipe=tmp_path / "pipe"))


FILES = ("run.json", "metrics.jsonl", "checkpoints/step_000040.safetensors")


def read_all(folder: Path) -> None:
    run = load_run(folder)
    _ = run.metrics
    run.weights(40)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("pipe", "is a pipe; a regular file is needed: restore it from a copy|step 40 has no checkpoint"),
        ("socket", "is a socket; a regular file is needed: restore it from a copy|step 40 has no checkpoint"),
        ("folder", "a folder stands where a file is needed|step 40 has no checkpoint"),
        ("device", "leads out of .*; what a run folder holds must lie in it|step 40 has no checkpoint"),
        ("link", "is a symbolic link, or lies behind one, that leads out of .*: put the file or folder itself there"),
    ],
)
def test_files_that_are_none_are_refused_without_a_wait(theirs: Path, secret: Path, name: str, kind: str, says: str):
    path = theirs / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        listening = socket.socket(socket.AF_UNIX)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(path.parent)  # The path of a socket may have a hundred characters.
            listening.bind(path.name)
        listening.close()
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else secret)
    with pytest.raises(GrokinterpError, match=says) as refused:
        read_all(theirs)
    assert "the secret" not in str(refused.value)


def test_a_folder_of_checkpoints_behind_a_link_is_refused(theirs: Path, tiny_run):
    shutil.rmtree(theirs / "checkpoints")
    (theirs / "checkpoints").symlink_to(tiny_run.path / "checkpoints")
    with pytest.raises(GrokinterpError, match="is a symbolic link, or lies behind one, that leads out of"):
        load_run(theirs).weights(40)
    with (
        pytest.raises(GrokinterpError, match="is a symbolic link, or lies behind one, that leads out of"),
        RunFolder(theirs).held(),
    ):
        pass


def test_links_within_a_folder_and_in_the_cache_of_the_hub_are_read(theirs: Path, tmp_path: Path):
    moved = theirs / "checkpoints" / "moved"
    (theirs / FILES[2]).rename(moved)
    (theirs / FILES[2]).symlink_to("moved")
    read_all(theirs)
    cached = tmp_path / "models--a--b" / "snapshots" / "abc"
    blobs = tmp_path / "models--a--b" / "blobs"
    (cached / "checkpoints").mkdir(parents=True)
    blobs.mkdir()
    for number, name in enumerate(FILES):
        shutil.copyfile(theirs / name, blobs / str(number))
        (cached / name).symlink_to(os.path.relpath(blobs / str(number), (cached / name).parent))
    read_all(cached)
    (cached / "run.json").unlink()
    (cached / "run.json").symlink_to(theirs / "run.json")
    with pytest.raises(GrokinterpError, match="leads out of"):
        load_run(cached)


def test_files_larger_than_can_be_are_refused(theirs: Path, monkeypatch):
    assert (MOST_OF_RECORD, MOST_OF_METRICS) == (64 * 2**20, 256 * 2**20)
    monkeypatch.setattr("grokinterp.runs._folder.MOST_OF_RECORD", 2**20)
    monkeypatch.setattr("grokinterp.runs._folder.MOST_OF_METRICS", 2 * 2**20)
    for name, most in (("run.json", 1), ("metrics.jsonl", 2)):
        with (theirs / name).open("ab") as file:
            file.truncate(most * 2**20 + 1)  # Without a byte on the disk.
        with pytest.raises(GrokinterpError, match=rf"{name} has more than {most} MiB; no file of that name is so lar"):
            read_all(theirs)
        shutil.copyfile(theirs / FILES[2], theirs / "metrics.jsonl")
        (theirs / "run.json").unlink()
        changed_copy = json.dumps({"schema_version": 1, "config": {}, "environment": {}})
        (theirs / "run.json").write_text(changed_copy)


# What is written.


@pytest.mark.parametrize("what", ["report", "verdict", "figures"])
def test_nothing_is_written_through_a_link_that_leads_out(theirs: Path, tmp_path: Path, run_command, what: str):
    (tmp_path / "home").mkdir()
    (theirs / what).symlink_to(tmp_path / "home")
    command = {"report": "analyze"}.get(what, what)
    status, out, error = run_command(command, theirs)
    assert (status, out) == (2, "")
    assert f"{theirs / what} is a symbolic link, or lies behind one, that leads out of {theirs};" in error
    assert list((tmp_path / "home").iterdir()) == []


def test_scripts_beside_a_page_are_neither_written_nor_removed_through_a_link(tmp_path: Path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "step-7.js").write_text("mine")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report_steps").symlink_to(tmp_path / "home")
    steps = _StepsFolder(tmp_path / "report" / "report_steps")
    steps.remove_others()
    with pytest.raises(GrokinterpError, match="leads out of"):
        steps.keep("step-7.js", "ours")
    assert [file.read_text() for file in (tmp_path / "home").iterdir()] == ["mine"]


def test_a_file_that_is_a_link_is_replaced_and_not_followed(tmp_path: Path, secret: Path):
    page = tmp_path / "report.html"
    page.symlink_to(secret)
    # Where the temporary file would be, too.
    (tmp_path / f".report.html.{os.getpid()}.tmp").symlink_to(secret)
    write_here(page, "a page")
    assert (page.is_symlink(), page.read_text(), secret.read_text()) == (False, "a page", SECRET)


def test_nothing_is_uploaded_through_a_link(theirs: Path, secret: Path):
    assert _run_files(theirs)[-2:] == ["run.json", "trainer_state.safetensors"]
    for name in ("metrics.jsonl", "checkpoints/step_000099.safetensors"):
        (theirs / name).unlink(missing_ok=True)
        (theirs / name).symlink_to(secret)
        with pytest.raises(GrokinterpError, match="leads out of"):
            _run_files(theirs)
        (theirs / name).unlink()


# What is said.

ESCAPES = "\x1b]0;owned\x07\x1b[31m\r\u202eevil\u2066\x9b\x00"


def test_text_of_a_stranger_does_not_steer_the_terminal(theirs: Path, run_command, tmp_path: Path):
    record = json.loads((theirs / "run.json").read_text())
    record["environment"]["versions"] = {f"torch{ESCAPES}": ESCAPES}
    record["provenance"] = {"source": ESCAPES, "layout": f"[red]{ESCAPES}[/red]", "notes": [ESCAPES]}
    record["config"]["preset_name"] = f"quick{ESCAPES}"
    (theirs / "run.json").write_text(json.dumps(record))
    with (theirs / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 41, "test_loss": 1.0, f"loss{ESCAPES}": 1.0}) + "\n")
    evil = theirs.rename(tmp_path / f"run{ESCAPES[:-1]}")
    status, out, error = run_command("info", evil)
    assert (status, error) == (0, "")
    assert "[red]" in out
    assert all(line.isprintable() for line in out.split("\n"))
    record["config"]["task"]["operation"] = ESCAPES
    (evil / "run.json").write_text(json.dumps(record))
    status, out, error = run_command("info", evil)
    assert (status, out) == (2, "")
    assert error.rstrip("\n").isprintable()


def test_a_console_shows_no_control_characters_wherever_they_stand(capsys):
    table = Table(box=None)
    table.add_column(ESCAPES)
    table.add_row(f"[bold]{ESCAPES}\nsecond")
    terminal = console()
    terminal.print(table)
    terminal.print(f"one\nline {ESCAPES}")
    out = capsys.readouterr().out
    assert out.endswith("one?line ?]0;owned??[31m??evil???\n")
    assert all(line.isprintable() for line in out.split("\n"))


def test_every_error_is_one_printable_line_of_bounded_length():
    assert str(GrokinterpError(f"a\n{ESCAPES}")).isprintable()
    assert len(str(GrokinterpError("x" * 10**6))) == 4000
    assert printable("ε ≤ 5 %\u00a0of W_E") == "ε ≤ 5 %\u00a0of W_E"


# JSON of others.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("9" * 19, "the whole number 9999999999999999999 is beyond 64 bits"),
        ("-" + "9" * 5000, "the whole number -99999999999999999999... is beyond 64 bits"),
        ("[1e999]", "the number 1e999 is beyond float64"),
        ("NaN", "NaN is no number"),
        ('{"a": {"b": 1, "b": 2}}', "the name 'b' stands twice in one object"),
        (r'["\ud800"]', "a text holds half a character"),
        (r'{"\udfff": 1}', "a text holds half a character"),
        ("[" * 65 + "]" * 65, "it is nested more than 64 deep"),
        ("[" * 100_000, "it is nested more than 64 deep"),
        ("[" + "[]," * 1_000_000 + "[]]", "it has more than 1,000,000 lists and objects"),
        ("{", "Expecting property name"),
        (b"\xff", "can't decode byte"),
    ],
)
def test_json_beyond_what_can_be_held_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        read_json(text)


def test_json_within_bounds_is_read():
    text = '{"a": [1, -9223372036854775808, 1.5e300, true, null, "\\ud83d\\ude00 é"], "b": {"a": {}}}'
    assert read_json(text) == json.loads(text)
    assert read_json(text.encode()) == json.loads(text)
    assert read_json("[" * 64 + "]" * 64) is not None
    assert str(read_json("[NaN, -Infinity]", nan=True)) == "[nan, -inf]"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"provenance": {"source": 1}}, r"run\.json: provenance\.source needs a text; restore it from a copy"),
        ({"provenance": {"notes": "x"}}, r"run\.json: provenance\.notes needs a list of texts; restore it from a copy"),
        ({"split": {"hash": [1]}}, r"run\.json: split\.hash needs a text; restore it from a copy"),
        (
            {"environment": {"resumed": [{"step": 1}]}},
            r"run\.json: environment\.resumed: each entry needs a step and an environment",
        ),
        ({"config": {"task": {"self": 1}}}, r"task\.self: unknown key"),
        ({"environment": {"self": 1}}, r"environment\.self: unknown key"),
    ],
)
def test_a_record_with_parts_of_other_kinds_is_named(theirs: Path, change, says):
    record = json.loads((theirs / "run.json").read_text()) | change
    (theirs / "run.json").write_text(json.dumps(record))
    with pytest.raises(GrokinterpError, match=says):
        load_run(theirs)


def test_metrics_of_too_many_names_or_lines_are_refused(theirs: Path, monkeypatch):
    (theirs / "metrics.jsonl").write_text("".join(f'{{"step": {n}, "x{n}": 1}}\n' for n in range(70)))
    with pytest.raises(GrokinterpError, match="has numbers of more than 64 names; restore it from a copy"):
        _ = load_run(theirs).metrics
    monkeypatch.setattr("grokinterp.runs._folder.MOST_METRICS", 50)
    with pytest.raises(GrokinterpError, match="has more than 50 lines; restore it from a copy"):
        _ = load_run(theirs).metrics


def test_a_link_in_a_circle_is_one_line(theirs: Path):
    (theirs / "run.json").unlink()
    (theirs / "run.json").symlink_to("run.json")
    with pytest.raises(GrokinterpError, match=rf"{os.strerror(errno.ELOOP)}|lead in a circle|holds no run.json"):
        load_run(theirs)


# The page itself, in a browser.


@pytest.mark.long
def test_the_page_works_as_it_is_served_asks_nothing_elsewhere_and_escapes_names(
    theirs: Path, tmp_path: Path, chromium, monkeypatch
):
    monkeypatch.setattr("grokinterp.report._explorer.MOST_BYTES", 20_000)
    record = json.loads((theirs / "run.json").read_text())
    tag = "<img src=x onerror='window.stolen=1'>"
    record["environment"]["versions"] = {tag: tag}
    record["config"]["preset_name"] = tag
    (theirs / "run.json").write_text(json.dumps(record))
    evil = theirs.rename(tmp_path / "<img src=x onerror=window.stolen=1>")
    report = tmp_path / "report"
    assert write_report(analyze(load_run(evil)), report, every_checkpoint=True).steps
    page, said, asked = chromium.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    with served(report, was_made_here) as port:
        page.goto(f"http://127.0.0.1:{port}/report.html")
        page.wait_for_selector(".js-plotly-plot")
        page.locator("input[type=range]").first.focus()
        with page.expect_response("**/report_steps/*.js") as answer:
            page.keyboard.press("ArrowLeft")
        assert answer.value.status == 200
        assert said == []
        assert page.evaluate("fetch('/report.json').then(() => 'asked', () => 'refused')") == "refused"
        assert page.evaluate("[window.stolen, document.querySelectorAll('img[src=x]').length]") == [None, 0]
    page.close()
    assert all(url.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:")) for url in asked)
