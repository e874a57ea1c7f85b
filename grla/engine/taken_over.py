"""Files of cells that a study took over from others: its figures, TensorBoard and users look for them in its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from grla.engine.claiming import cell_folders
from grla.engine.plan import Plan
from grla.files import atomic_write


def bring_files(plan: Plan, folder: Path) -> None:
    """Copy checkpoint, pictures and logs of the plan's cells into the study's `folder` from others beside it.

    Folders lie in OUT/STUDY/PROFILE. What is nowhere, as after a run on another machine, is left out. Raises InputError
    when a file cannot be written.
    """
    for planned in plan.cells:
        own = cell_folders(folder, planned)
        if own.checkpoint.exists():
            continue
        found = sorted(folder.parents[1].glob(f"*/*/checkpoints/{own.checkpoint.name}"))
        if found:
            theirs = found[0].parents[1]
            _copy(theirs / "images" / own.images.name, own.images)
            for logs in theirs.glob(f"tensorboard/*_{planned.cell_hash[:6]}"):
                _copy(logs, own.tensorboard)
            _copy(found[0], own.checkpoint)  # the last one: where it is, the others are


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or all files of a folder, each in one step."""
    for path in sorted(source.iterdir()) if source.is_dir() else [source]:
        with path.open("rb") as reader, atomic_write(target / path.name if source.is_dir() else target) as writer:
            shutil.copyfileobj(reader, writer)
