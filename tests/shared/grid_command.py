"""A run of many tiny cells as a process of its own, for tests to disturb.

python grid_command.py CROPS OUT SEEDS '{"workers": 4, "storage": "postgresql://..."}'
"""

import gc
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch._dynamo

from grla.engine import RunSettings, StudyRun, run_study
from grla.errors import InputError
from grla.study import load_study, vary
from tests.shared import ABLATIONS

# Workers import this file as well: full collections, which measuring memory makes, then take no time.
gc.freeze()


def grid_run(crops: Path, out: Path, seeds: int, settings: dict[str, Any]) -> StudyRun:
    """Two kernels and `seeds` seeds on the crops: 2 * seeds cells."""
    study = replace(load_study("tiny", ABLATIONS), factors=(vary("kernel", "model.kernel", "relu", "uniform"),))
    data = {"data.train": str(crops / "train"), "data.test": (str(crops / "test"),)}
    changes = {**data, "model.kernel": "relu", "cost.latency_runs": 1}
    join = settings.pop("join", False)
    return StudyRun(study, "smoke", RunSettings(out, torch.device("cpu"), **settings), changes, seeds, join)


if __name__ == "__main__":
    try:
        run_study(grid_run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])))
    except InputError as error:
        sys.exit(f"error: {error}")
