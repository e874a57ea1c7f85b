"""What torchrun starts in test_torchrun.py: a study as run_ablation.py runs one.

Arguments: folder of images, folder of results, names of the cells to run, joined by "+", and the training steps.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
CELLS = {
    "batch": {},
    "layer": {"model.norm": "layer"},
    "unused": {"model.kernel": "none", "train.ema_decay": 0.9, "train.clip_norm": 0.1},
    "nan": {"train.learning_rate": 1e38},
}

if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    import torch

    from grla.engine import RunSettings, StudyRun, run_study, torchrun
    from grla.engine.processes.execution import Execution
    from grla.errors import Interrupted
    from grla.spec import Budget
    from grla.study import Factor, load_study
    from tests.shared import ABLATIONS

    images, out, cells, steps = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split("+"), int(sys.argv[4])
    study = replace(load_study("tiny", ABLATIONS), factors=(Factor("cell", {name: CELLS[name] for name in cells}),))
    changes = {"data.train": str(images / "train"), "data.test": (str(images / "test"),)}
    changes |= {"train.budget": Budget(steps, "steps")}
    execution = Execution(checkpoint_activations=True)  # blocks that are computed twice share their statistics twice
    try:
        settings = RunSettings(out, torch.device("cpu"), execution=execution)
        run = StudyRun(study, "smoke", settings, changes, 1)
        with torchrun(run) as leading:
            if leading:
                run_study(run)
    except Interrupted as stop:
        sys.exit(str(stop))
