"""A population of small networks of many kinds: trained, judged by every account, counted.

    python docs/population.py train OUT [FAMILY ...]   trains the networks that OUT lacks, each into a run folder
    python docs/population.py judge OUT [FAMILY ...]   judges the networks that OUT/judged.jsonl lacks; --again: all
    python docs/population.py page OUT                 fills the tables of docs/population.md and draws its figure
    python docs/population.py all OUT                  all three
    python docs/population.py families                 prints the families

Training and judging can be stopped and started again. Two processes may train different families into one OUT.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from grokinterp.runs import load_run

sys.path.insert(0, str(Path(__file__).parent))
from population_judged import Row, judged, read_rows, write_rows
from population_training import Family, run_path, train_family

_MLP = {"architecture": "mlp"}
_CONCATENATION = {**_MLP, "mlp_inputs": "concatenation"}
_NARROW = {"d_model": 32, "d_head": 8}
_OWN_TOKENS = {"own_tokens_for_b": True}
_SUBTRACTION = {"operation": "subtract"}
_RANDOM_LABELS = {"task": {"p": 23}, "weight_decay": 0.1, "null": "random_labels", "most_steps": 1500}
# Few pairs and no weight decay: such networks know their train pairs after some hundred steps and stay there.
_MEMORISES = {"task": {"train_fraction": 0.3}, "weight_decay": 0.0, "null": "memorises", "most_steps": 1500}
# Attention, LayerNorm and few neurons need more steps; of twelve attention networks eight generalise from 80 % of the
# pairs in that many, so that the smaller families with attention are given 90 %.
_LONG = {"most_steps": 15_000}
_MOST_PAIRS = {"train_fraction": 0.9}
_ATTENTION = {"model": _NARROW, "drawn_rate": True, **_LONG}
_ATTENTION_90 = {**_ATTENTION, "task": _MOST_PAIRS}
FAMILIES = (
    Family("sum-31", "sum of embeddings", 16, model=_MLP),
    Family("concatenation-31", "concatenation", 16, model=_CONCATENATION),
    Family("own-tokens-31", "separate tokens for b", 8, task=_OWN_TOKENS, model=_MLP),
    # The sum of embeddings from one table is the same for (a, b) and (b, a), and can learn no subtraction.
    Family("subtraction-31", "subtraction", 8, task=_SUBTRACTION, model=_CONCATENATION),
    Family("gelu-31", "GELU", 8, model={**_MLP, "act_fn": "gelu"}),
    Family(
        "narrow-29",
        "small widths",
        8,
        task={"p": 29, **_MOST_PAIRS},
        model={**_MLP, "d_model": 24, "d_mlp": 48},
        **_LONG,
    ),
    Family("depth-2-mlp-31", "depth 2", 6, model={**_MLP, "n_layers": 2}),
    Family("random-labels-mlp", "random labels", 12, model=_CONCATENATION, **_RANDOM_LABELS),
    Family("composite-60", "composite n", 6, task={"p": 60}, model=_MLP),
    Family("composite-66", "composite n", 6, task={"p": 66}, model=_MLP),
    Family("sum-59", "sum of embeddings", 8, task={"p": 59}, model=_MLP),
    Family("concatenation-59", "concatenation", 8, task={"p": 59}, model=_CONCATENATION),
    Family("attention-31", "attention, α drawn", 12, **_ATTENTION),
    Family("attention-31-90", "attention, α drawn", 8, **_ATTENTION_90),
    Family("layernorm-31", "LayerNorm", 8, model={**_NARROW, "normalization": "LN"}, weight_decay=1.0, **_LONG),
    Family("random-labels-attention", "random labels", 12, model=_NARROW, **_RANDOM_LABELS),
    Family("own-tokens-attention-31", "separate tokens for b", 6, task=_OWN_TOKENS, **_ATTENTION),
    Family("subtraction-attention-31", "subtraction", 4, **_ATTENTION_90 | {"task": {**_SUBTRACTION, **_MOST_PAIRS}}),
    Family("gelu-attention-31", "GELU", 4, **_ATTENTION_90 | {"model": {**_NARROW, "act_fn": "gelu"}}),
    Family(
        "narrow-attention-31", "small widths", 4, **_ATTENTION_90 | {"model": {"d_model": 16, "d_head": 4, "d_mlp": 64}}
    ),
    Family("depth-2-31", "depth 2", 6, model={**_NARROW, "n_layers": 2}),
    Family(
        "depth-2-rates-31", "depth 2", 4, **_ATTENTION_90 | {"model": {**_NARROW, "n_layers": 2}, "most_steps": 6000}
    ),
    Family("memorises-mlp", "memorises", 24, model=_CONCATENATION, **_MEMORISES),
    Family("memorises-attention", "memorises", 24, model=_NARROW, **_MEMORISES),
    Family("depth-3-29", "depth 3", 4, task={"p": 29}, model={**_NARROW, "n_layers": 3}),
)
# Networks of a family that are trained side by side: more would fill the processor's cache.
TOGETHER = 8


def train(out: Path, families: Sequence[Family] = FAMILIES) -> None:
    """Train the networks that are not there, family by family."""
    for family in families:
        missing = [number for number in range(family.networks) if not _is_there(out, family, number)]
        for start in range(0, len(missing), TOGETHER):
            began = time.process_time()
            for number, step, converged in train_family(family, missing[start : start + TOGETHER], out):
                end = "converged" if converged else "had not converged"
                _say(f"{family.name} {number}: {end} at step {step:,}, {time.process_time() - began:.0f} s of CPU")


def judge(out: Path, families: Sequence[Family] = FAMILIES, *, again: bool = False) -> list[Row]:
    """Judge the networks that are there and have no row yet, or all of these families again."""
    path = out / "judged.jsonl"
    rows = {row["run"]: row for row in read_rows(path)}
    for family in families:
        for number in range(family.networks):
            name = f"{family.name}/{number:02d}"
            if not _is_there(out, family, number) or (name in rows and not again):
                continue
            run = load_run(run_path(out, family, number))
            about = {
                "run": name,
                "kind": family.kind,
                "learns": family.learns,
                "converged": run.last_step < family.most_steps,
            }
            rows[name] = about | judged(run, family.null)
            write_rows(path, rows.values())
            _say(f"{name}: {rows[name]['label']}")
    return list(rows.values())


def _is_there(out: Path, family: Family, number: int) -> bool:
    return (run_path(out, family, number) / "run.json").exists()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "judge", "page", "all"):
        command = commands.add_parser(name)
        command.add_argument("out", type=Path, metavar="OUT")
        if name in ("train", "judge"):
            command.add_argument("family", nargs="*", metavar="FAMILY")
        if name == "judge":
            command.add_argument("--again", action="store_true")
    commands.add_parser("families")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    names = getattr(asked, "family", [])
    known = [family.name for family in FAMILIES]
    for name in names:
        if name not in known:
            parser.error(f"{name} is no family; choose some of {', '.join(known)}")
    chosen = [family for family in FAMILIES if not names or family.name in names]
    if asked.command == "families":
        for family in FAMILIES:
            _say(f"{family.name:28} {family.networks:3}  {family.kind}")
    if asked.command in ("train", "all"):
        train(asked.out, chosen)
    if asked.command in ("judge", "all"):
        judge(asked.out, chosen, again=getattr(asked, "again", False))
    if asked.command in ("page", "all"):
        from population_page import write_page

        write_page(read_rows(asked.out / "judged.jsonl"))


if __name__ == "__main__":
    main()
