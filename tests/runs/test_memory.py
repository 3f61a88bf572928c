"""What does not fit into memory is refused before it is begun, in one line."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grokinterp.analysis import analyze
from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs import RunConfig, available_memory, memory_needed, require_memory
from grokinterp.tasks import Task, TaskConfig
from grokinterp.training import train
from grokinterp.verdict import find_verdict

memory = importlib.import_module("grokinterp.runs._memory")


@pytest.fixture
def small_machine(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000_000)
    monkeypatch.setattr(memory, "_own_memory", lambda: 0)


@pytest.mark.usefixtures("small_machine")
def test_each_computation_is_refused_before_it_begins(tiny_run, tiny_config, run_command, tmp_path):
    of = r"of 49 pairs with 7 answers and 24 neurons needs about 0\.\d GB of memory, this machine has 0\.1 GB free;"
    with pytest.raises(GrokinterpError, match=f"the training {of} take a smaller task"):
        train(tiny_config, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
    with pytest.raises(GrokinterpError, match=f"the analysis {of}"):
        analyze(tiny_run)
    for full, name in ((True, "verdict"), (False, "quick verdict")):
        with pytest.raises(GrokinterpError, match=f"the {name} {of}"):
            find_verdict(tiny_run, full=full)
    status, _, error = run_command("analyze", tiny_run.path, "--out", tmp_path / "report")
    assert (status, len(error.splitlines())) == (2, 1)
    assert "the quick verdict of 49 pairs" in error


def test_what_is_needed_grows_with_pairs_answers_neurons_and_layers():
    needed = {p: memory_needed("analysis", Task(TaskConfig(p=p)), ModelConfig()) for p in (113, 499)}
    assert needed[113] < 1e9 < 6e9 < needed[499] < 10e9
    task = Task(TaskConfig(p=113))
    assert memory_needed("training", task, ModelConfig(n_layers=2)) > memory_needed("training", task, ModelConfig())
    assert memory_needed("verdict", task, ModelConfig(d_mlp=4096)) > 2 * memory_needed("verdict", task, ModelConfig())


def test_where_nothing_is_known_of_the_machine_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    require_memory("verdict", Task(TaskConfig(p=113)), ModelConfig(d_mlp=65536))


def test_a_container_has_what_its_control_group_leaves(tmp_path):
    assert memory._free_of_group(tmp_path) is None
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 150\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._free_of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory._free_of_group(tmp_path) == 450
    assert (available_memory() or 1) > 0


PEAK = """
import json, sys
import grokinterp
from grokinterp.runs import RunConfig
run = grokinterp.train(RunConfig(**json.loads(sys.argv[1])), sys.argv[2], progress=False)
{work}
sys.path.append(sys.argv[3])
from bounds import peak_memory
print(peak_memory())
"""
WORK = {
    "training": "",
    "analysis": "grokinterp.analyze(run)",
    "quick verdict": "grokinterp.analyze(run); grokinterp.find_verdict(run, full=False)",
}


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are measured in the units of Linux")
@pytest.mark.parametrize("computation", WORK)
@pytest.mark.parametrize("settings", [["task.p=113"], ["task.p=53", "model.d_mlp=2048"], ["task.p=149"]])
def test_what_is_needed_is_right_within_a_factor_of_one_and_a_half(tmp_path, computation, settings):
    config = RunConfig.preset("nanda-mainline").with_settings([*settings, "training.steps=1", "training.threads=1"])
    code = PEAK.format(work=WORK[computation])
    measured = int(
        subprocess.run(
            [sys.executable, "-c", code, config.model_dump_json(), tmp_path / "run", Path(__file__).parents[1]],
            stdout=subprocess.PIPE,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ).stdout
    )
    assert 1 / 1.5 < memory_needed(computation, Task(config.task), config.model) / measured < 1.5
