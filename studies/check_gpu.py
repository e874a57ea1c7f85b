"""Look at a GPU before anything is measured on it: what runs, by which path, how near to the CPU, how fast.

python studies/check_gpu.py
python studies/check_gpu.py --outside package.module:factory
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from command import command

from grla.benchmark import EVERY_KERNEL, Subject, check_gpu, what_is_checked
from grla.devices import choose_device
from grla.errors import require
from grla.files import write_text
from grla.report import Document, Section, Table, Text
from grla.spec import ModelSpec

SMALL = ModelSpec(dim=16, depth=1, window_size=8, num_heads=2)


@dataclass(frozen=True)
class Arguments:
    """Check a GPU in less than ten minutes and write gpu.json and gpu.html."""

    kernels: tuple[str, ...] = ("gaussian_rbf", *(name for name in EVERY_KERNEL if name != "gaussian_rbf"))
    """The kernels to check; the first is the one whose steps are looked at closely."""
    outside: str = ""
    """package.module:factory of a network to be timed in turns with ours, as SwinIR-light."""
    device: str = "auto"
    """Where to check: auto, cpu, cuda or cuda:1 (the second GPU); without a GPU, auto lists the checks only, and cpu
    runs them small."""
    minutes: float = 9.0
    """After so many minutes no further check begins."""
    out: Path = Path("results/gpu")
    """Folder for gpu.json and its page."""


def main(arguments: Arguments) -> None:
    """Check, print each outcome, and write the record and the page."""
    require(arguments.minutes > 0, "minutes", "must be above 0", arguments.minutes)
    if arguments.device == "auto" and not torch.cuda.is_available():
        print("There is no GPU that PyTorch can use. On one, this would look at:")
        print("\n".join(f"  {name}: {about}" for name, about in what_is_checked().items()))
        return
    device = choose_device(arguments.device)
    sizes: dict[str, Any] = {}
    if device.type == "cpu":
        sizes = {"model": SMALL, "patch_size": 8, "batch_size": 2, "lr_size": (16, 16), "tokens": 64}
    subject = Subject(device, arguments.kernels, outside=arguments.outside, **sizes)
    record = check_gpu(subject, 60 * arguments.minutes, lambda name, outcome: print(f"{name}: {outcome}", flush=True))
    write_text(arguments.out / "gpu.json", json.dumps(record, indent=2) + "\n")
    write_text(arguments.out / "gpu.html", page(record).html())
    print(f"written: {arguments.out / 'gpu.json'}, {arguments.out / 'gpu.html'}")


def page(record: dict[str, Any]) -> Document:
    """The record as a page: the machine, what fell back or failed and why, and a table for each check."""
    machine = record["machine"]
    about = {**machine, **machine.get("cuda", {}), **record["conditions"]["after"]}
    notes = [f"- {note}" for note in fallen_back(record)] or ["Nothing fell back or failed."]
    told = pd.DataFrame([(name, str(value)) for name, value in about.items() if name != "cuda"], columns=["", "value"])
    sections = [Section("What fell back or failed", (Text("\n".join(notes)),)), Section("Machine", (words(told),))]
    for name, text in what_is_checked().items():
        rows = [{key: shown(value) for key, value in row.items()} for row in record["checks"][name].get("rows", [])]
        sections.append(
            Section(name.replace("_", " ").capitalize(), (Text(text), words(pd.DataFrame(rows).fillna(""))))
        )
    return Document(f"Check of {record['gpu'] or record['device']}", "", tuple(sections))


def shown(value: object) -> str:
    """A value of a row: numbers that are not whole to four digits."""
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def words(frame: pd.DataFrame) -> Table:
    """A table of words."""
    return Table(frame, left=tuple(map(str, frame.columns)))


def fallen_back(record: dict[str, Any]) -> list[str]:
    """What did not run as it should, and why."""
    notes = []
    for name, check in record["checks"].items():
        if check["outcome"] != "ok":
            notes.append(f"{name}: {check['outcome']} {check['reason']}")
        notes += [f"{name}: {warning}" for warning in check.get("warnings", [])]
        rows = check.get("rows", [])
        notes += [f"{name}: {row}" for row in rows if not row["ok"]]
        notes += sorted({f"{name}: {row['path']}" for row in rows if str(row.get("path", "")).startswith("eager")})
    return notes


if __name__ == "__main__":
    command(main, Arguments, __doc__)
