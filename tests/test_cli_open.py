"""`grokinterp open` and `grokinterp watch` as a user meets them."""

import errno
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from grokinterp.cli._following import RunFollower
from grokinterp.cli._live import is_stale
from grokinterp.cli._serve import file_server
from grokinterp.errors import GrokinterpError
from grokinterp.report import was_made_here
from grokinterp.report._made_here import write_here
from grokinterp.training import train


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "grokinterp.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def reported(tiny_run, tmp_path) -> Path:
    """A run folder with a report and a verdict's page, in short, and files that are nobody's business."""
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.path, folder)
    (folder / "report").mkdir()
    write_here(folder / "report" / "report.html", "<p>a report</p>" * 1000)
    write_here(folder / "report" / "report.json", '{"final": {"step": 40}}')
    write_here(folder / "report" / "measures.csv", "step\n40\n")
    (folder / "verdict").mkdir()
    write_here(folder / "verdict" / "verdict.html", "<p>a verdict</p>")
    (folder / "report" / "report_steps").mkdir()
    write_here(folder / "report" / "report_steps" / "step-0-a1.js", "grokinterp.deliver()")
    (folder / "report" / "report_steps" / "secret.txt").write_text("secret")
    (folder / "report" / "secret.txt").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


# open


@pytest.fixture
def server(reported) -> Iterator[int]:
    """The port of a server of the report."""
    report = reported / "report"
    files = {
        "/": report / "report.html",
        "/report.html": report / "report.html",
        "/report.json": report / "report.json",
    }
    files |= {"/measures.csv": report / "measures.csv", "/gone.html": report / "gone.html"}
    with file_server(files, folder=report / "report_steps", accepts=was_made_here) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving.server_port
        serving.shutdown()
        thread.join()


def ask(port: int, path: str, *, method: str = "GET", host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """An answer to a path that is sent exactly as it is written."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", f"127.0.0.1:{port}" if host is None else host)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_the_report_is_served_whole(server, reported):
    page = (reported / "report" / "report.html").read_bytes()
    for path in ("/", "/report.html", "/?from=mail", "/report.html?x#y"):
        status, headers, body = ask(server, path)
        assert (status, body) == (200, page)
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(server, "/report.json")[1]["Content-Type"] == "application/json"
    assert ask(server, "/measures.csv")[2] == (reported / "report" / "measures.csv").read_bytes()
    status, headers, body = ask(server, "/report_steps/step-0-a1.js")
    assert (status, body) == (200, b"grokinterp.deliver()")
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    status, headers, body = ask(server, "/", method="HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(page)), b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/report/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..\\secret.txt",
        "/secret.txt",
        "/report_steps/",
        "/report_steps/secret.txt",
        "/report_steps/step-1-a1.js",
        "/report_steps/../report_steps/step-0-a1.js",
        "/step-0-a1.js",
        "/report/",
        "/.",
        "/report",
        "//etc/passwd",
        "/etc/passwd",
        "etc/passwd",
        "http://127.0.0.1/report.html",
        "/report.html/",
        "/report.html%00.txt",
        "/REPORT.HTML",
        "/run.json",
        "/checkpoints/step_000000.safetensors",
        "/gone.html",
        "*",
    ],
)
def test_nothing_else_is_served(server, path):
    status, headers, body = ask(server, path)
    assert (status, body) == (404, b"There is no such page.\n")
    assert headers["Content-Type"].startswith("text/plain")


def test_the_absolute_path_of_the_report_itself_is_none(server, reported):
    assert ask(server, str(reported / "report" / "report.html"))[0] == 404
    assert ask(server, str(reported.parent / "secret.txt"))[0] == 404


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1", "127.0.0.1:1234"])
def test_this_machine_may_ask(server, host):
    assert ask(server, "/", host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1@evil.example",
        "127.0.0.1/evil",
        "127.0.0.1:notaport",
        "0.0.0.0",
        "[::1]",
        "",
        "localhost, evil.example",
    ],
)
def test_a_page_elsewhere_that_names_itself_may_not(server, host):
    """DNS rebinding: the attacker's name comes to mean this machine, and his page asks by that name."""
    status, _, body = ask(server, "/report.html", host=host)
    assert (status, body) == (403, b"This server answers to localhost and 127.0.0.1 alone.\n")


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "evil.example"]])
def test_a_request_of_no_host_or_two_is_refused(server, hosts):
    with socket.create_connection(("127.0.0.1", server), timeout=10) as connection:
        lines = ["GET / HTTP/1.0", *(f"Host: {host}" for host in hosts), "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert b" 403 " in connection.recv(100)


def test_nothing_can_be_sent(server):
    assert ask(server, "/report.html", method="POST")[0] == 501
    assert ask(server, "/report.html", method="DELETE")[0] == 501


def test_it_listens_on_this_machine_alone():
    with file_server({}) as serving:
        assert serving.server_address[0] == "127.0.0.1"


def test_open_serves_until_ctrl_c(reported):
    process = start("open", reported, "--no-browser")
    lines = [process.stdout.readline().strip() for _ in range(3)]
    assert lines[0].startswith("the report: http://127.0.0.1:")
    assert lines[1] == f"the verdict: {lines[0].removeprefix('the report: ')}verdict.html"
    assert lines[2] == "Ctrl-C ends it"
    port = int(lines[0].rstrip("/").rpartition(":")[2])
    assert ask(port, "/")[2] == (reported / "report" / "report.html").read_bytes()
    assert ask(port, "/verdict.html")[2] == b"<p>a verdict</p>"
    assert ask(port, "/verdict.json")[0] == 404
    assert ask(port, "/secret.txt")[0] == 404
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=300)
    assert (process.returncode, out, error) == (0, "ended\n", "")


@pytest.fixture
def served(monkeypatch):
    """Serving that ends at once, and the addresses that a browser was shown."""
    shown: list[str] = []
    monkeypatch.setattr(
        "http.server.ThreadingHTTPServer.serve_forever", lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    monkeypatch.setattr("webbrowser.open", shown.append)
    monkeypatch.setenv("DISPLAY", ":0")
    return shown


def test_the_report_is_made_where_there_is_none_and_not_again(run_command, served, tiny_run, tmp_path):
    status, out, error = run_command("open", tiny_run.path, "--out", tmp_path / "r")
    assert (status, error) == (0, "")
    assert out.startswith("the report is made first\nthe report: http://127.0.0.1:")
    made = (tmp_path / "r" / "report.html").stat().st_mtime_ns
    assert json.loads((tmp_path / "r" / "report.json").read_text())["verdict"]
    status, out, _ = run_command("open", tiny_run.path, "--out", tmp_path / "r")
    assert (status, out.partition(" ")[0]) == (0, "the")
    assert "made first" not in out
    assert (tmp_path / "r" / "report.html").stat().st_mtime_ns == made
    assert len(served) == 2
    assert all(address in out or index == 0 for index, address in enumerate(served))


def test_no_browser_where_none_is_wanted_or_can_show_itself(run_command, served, reported, monkeypatch):
    assert run_command("open", reported, "--no-browser")[0] == 0
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert run_command("open", reported)[0] == 0
    assert served == []


def test_a_report_is_stale_when_the_run_went_on(reported):
    report, checkpoint = reported / "report", reported / "checkpoints" / "step_000040.safetensors"
    assert not is_stale(report, checkpoint, 40, was_made_here)
    assert is_stale(report, checkpoint, 50, was_made_here)
    later = (report / "report.html").stat().st_mtime + 5
    os.utime(checkpoint, (later, later))
    assert is_stale(report, checkpoint, 40, was_made_here)
    os.utime(report / "report.html", (later + 5, later + 5))
    assert not is_stale(report, checkpoint, 40, was_made_here)
    for broken in ("{", "[]", "{}", '{"final": 1}'):
        write_here(report / "report.json", broken)
        assert is_stale(report, checkpoint, 40, was_made_here)
    assert is_stale(reported / "nowhere", checkpoint, 40, was_made_here)


def test_a_port_that_is_taken(run_command, reported):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, error = run_command("open", reported, "--port", port, "--no-browser")
    says = f"--port {port}: another program listens there; give another port, or none for one that is free"
    assert (status, out, error) == (2, "", f"grokinterp: {says}\n")


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.EACCES, "this user may not listen there"), (errno.ENOBUFS, os.strerror(errno.ENOBUFS))],
)
def test_a_port_that_is_refused(monkeypatch, number, reason):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("http.server.ThreadingHTTPServer.server_bind", refuse)
    with pytest.raises(GrokinterpError) as refused:
        file_server({}, 80)
    assert str(refused.value) == f"--port 80: {reason}; give another port, or none for one that is free"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["open", "hf://user/repo"],
            "hf://user/repo is not on this machine: needs --out, the folder to write the report into",
        ),
        (["open", "absent"], "absent: no such folder; give a run folder made by `grokinterp train`"),
        (["watch", "absent"], "absent: no such folder; give a run folder made by `grokinterp train`"),
        (["watch", "absent", "--once"], "absent: no such folder; give a run folder made by `grokinterp train`"),
    ],
)
def test_bad_input_is_one_line(run_command, arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command(*arguments) == (2, "", f"grokinterp: {says}\n")


def test_a_run_without_a_checkpoint_has_no_report(run_command, tiny_run, tmp_path):
    (tmp_path / "new").mkdir()
    shutil.copy(tiny_run.path / "run.json", tmp_path / "new")
    status, out, error = run_command("open", tmp_path / "new", "--no-browser")
    assert (status, out) == (2, "")
    assert (
        error
        == f"grokinterp: {tmp_path / 'new'} has no checkpoints yet; continue it with `grokinterp train --resume`\n"
    )


# watch


@pytest.fixture
def growing(tiny_run, tmp_path) -> Path:
    """A run folder that has only begun: no metrics and no checkpoint."""
    folder = tmp_path / "growing"
    folder.mkdir()
    shutil.copy(tiny_run.path / "run.json", folder)
    return folder


def row(step: int, **values: float) -> str:
    return json.dumps({"step": step, "train_loss": 1.5, **values}) + "\n"


def evaluated(step: int, train: float, test: float, test_loss: float = 9.0) -> str:
    return row(step, test_loss=test_loss, train_accuracy=train, test_accuracy=test)


def test_watch_once_says_how_far_it_is(run_command, tiny_run):
    metrics = tiny_run.metrics.iloc[-1]
    status, out, error = run_command("watch", tiny_run.path, "--once")
    assert (status, error) == (0, "")
    assert out.startswith("step 40 of 40, train loss ")
    assert f"({100 * metrics['train_accuracy']:.1f} % right), test loss" in out
    assert out.endswith(f"is memorising its training pairs, {len(tiny_run.steps)} checkpoints, the last at step 40\n")


def test_a_run_that_has_ended_is_said_once(run_command, tiny_run):
    status, out, _ = run_command("watch", tiny_run.path)
    assert (status, out.count("\n")) == (0, 1)


def test_before_the_first_checkpoint(run_command, growing):
    assert run_command("watch", growing, "--once") == (0, "no step yet, not evaluated yet, no checkpoint\n", "")
    (growing / "metrics.jsonl").write_text(row(0)[:7])
    assert run_command("watch", growing, "--once") == (0, "no step yet, not evaluated yet, no checkpoint\n", "")


def test_checkpoints_without_metrics_say_why_it_is_not_known_how_far_the_network_is(run_command, tiny_run, tmp_path):
    copy = shutil.copytree(tiny_run.path, tmp_path / "copy")
    (copy / "metrics.jsonl").unlink()
    status, out, _ = run_command("watch", copy, "--once")
    assert status == 0
    assert (
        "how far the network is cannot be said, since metrics.jsonl has no accuracies ('grokinterp analyze' measures "
        "its checkpoints)"
    ) in out


def test_a_last_line_that_is_half_written_is_read_when_it_is_whole(growing):
    follower, metrics = RunFollower(growing), growing / "metrics.jsonl"
    whole = evaluated(0, 0.5, 0.25) + row(1) + row(2)
    for cut in range(len(whole) + 1):
        metrics.write_text(whole[:cut])
        lines = whole[:cut].count("\n")
        assert follower.state().step == (lines - 1 if lines else None)
    assert follower.state().metrics == {
        "train_loss": 1.5,
        "test_loss": 9.0,
        "train_accuracy": 0.5,
        "test_accuracy": 0.25,
    }


def test_it_says_of_a_growing_file_what_it_says_of_the_whole(tiny_run, growing):
    lines = (tiny_run.path / "metrics.jsonl").read_text().splitlines(keepends=True)
    follower = RunFollower(growing)
    with (growing / "metrics.jsonl").open("a") as file:
        for line in lines:
            file.write(line)
            file.flush()
            state = follower.state()
            assert replace(state, quiet=None) == replace(RunFollower(growing).state(), quiet=None)
            assert state.step == json.loads(line)["step"]
    assert state.ended


def test_a_resumed_run_has_cut_its_metrics(growing):
    follower, metrics = RunFollower(growing), growing / "metrics.jsonl"
    metrics.write_text("".join(evaluated(step, 1.0, 1.0) for step in range(30)))
    assert follower.state().phase == "has generalised, since step 0"
    metrics.write_text(evaluated(0, 0.1, 0.1) + row(1))
    state = follower.state()
    assert (state.step, state.phase) == (1, "answers no better than guessing")


def test_the_phase_is_how_far_the_network_is(growing):
    follower = RunFollower(growing)
    guessed = []
    for step, values in enumerate(
        [
            (0.1, 0.1, 2.0),
            (0.98, 0.1, 5.0),
            (1.0, 0.2, 8.0),
            (1.0, 0.6, 1.9),
            (1.0, 0.99, 0.1),
            (1.0, 0.5, 3.0),
            (1.0, 1.0, 0.0),
        ]
    ):
        with (growing / "metrics.jsonl").open("a") as file:
            file.write(evaluated(step, *values) + row(step))
        guessed.append(follower.state().phase)
    assert guessed == [
        "answers no better than guessing",
        "is memorising its training pairs",
        "has memorised its training pairs and not generalised",
        "generalises in part",
        "has generalised, since step 4",
        "has lost what it had learned",
        "has generalised, since step 6",
    ]


@pytest.mark.long
def test_the_published_run_has_generalised_since_its_known_step(run_command, mainline):
    _, out, _ = run_command("watch", mainline.path, "--once")
    assert "has generalised, since step 10,330, 26 checkpoints, the last at step 20,000" in out


def test_a_run_that_has_gone_quiet(growing):
    (growing / "metrics.jsonl").write_text(row(0))
    assert "nothing written" not in RunFollower(growing).state().line
    before = time.time() - 600
    os.utime(growing / "metrics.jsonl", (before, before))
    assert RunFollower(growing).state().line.endswith("nothing written for 10 min")


@pytest.mark.parametrize("line", ["{", "[1]", '{"loss": 1}', '{"step": null}', "\x00\xff"])
def test_metrics_that_are_none(run_command, growing, line):
    (growing / "metrics.jsonl").write_text(row(0) + line + "\n" + row(1))
    says = f"{growing / 'metrics.jsonl'}: a line is not a step with its numbers in JSON; restore the file from a copy"
    assert run_command("watch", growing, "--once") == (2, "", f"grokinterp: {says}\n")


def test_watch_follows_a_training_to_its_end(tiny_config, tmp_path):
    config = tiny_config.with_settings(["training.steps=300", "training.checkpoint_every=100"])
    out = tmp_path / "run"
    training = threading.Thread(target=train, args=(config, out), kwargs={"progress": False})
    training.start()
    while not (out / "run.json").exists():
        time.sleep(0.01)
    process = start("watch", out, "--every", "0.05")
    said, error = process.communicate(timeout=300)
    training.join()
    assert (process.returncode, error) == (0, "")
    assert said.splitlines()[-1].startswith("step 300 of 300, train loss ")


@pytest.mark.long
def test_ctrl_c_ends_the_watching(growing):
    (growing / "metrics.jsonl").write_text(row(3))
    process = start("watch", growing, "--every", "0.05")
    assert process.stdout.readline().startswith("step 3 of 40")
    with (growing / "metrics.jsonl").open("a") as file:
        file.write(row(4))
    assert process.stdout.readline().startswith("step 4 of 40")
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=300)
    assert (process.returncode, out, error) == (0, "no longer watched; the training goes on\n", "")


def test_in_a_terminal_a_table_stands_in_one_place(run_command, growing, monkeypatch):
    (growing / "metrics.jsonl").write_text(evaluated(0, 1.0, 0.5))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    def sleep(_: float) -> None:
        (growing / "metrics.jsonl").write_text(evaluated(0, 1.0, 0.5) + evaluated(40, 1.0, 1.0))

    monkeypatch.setattr("time.sleep", sleep)
    status, out, _ = run_command("watch", growing)
    assert status == 0
    for text in ("(a + b) mod 7", "step 0 of 40", "step 40 of 40", "has memorised", "since step 40"):
        assert text in out
    assert "\x1b[" in out
