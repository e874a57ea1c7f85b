"""Draw where networks of the recall probe look: the attention weights of one blanked pixel, layer by layer.

    python studies/run_recall_maps.py results/recall/quick/cells/*/weights.pt
    python studies/run_recall_maps.py A.pt B.pt --pairs 16 --image 3

Seconds on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tyro

from command import command

from grla.analysis import load_trained, model_label, recall_scene, weight_maps
from grla.errors import require
from grla.files import write_text
from grla.report import MapRow, recall_maps_figure, save


@dataclass(frozen=True)
class Arguments:
    """Draw the attention weights of one blanked pixel over the image, for each checkpoint and layer."""

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """Checkpoint files of the study `recall`, all of the same images."""
    pairs: int = 4
    """Number of distinct pairs in the image."""
    image: int = 0
    """Which of the test images."""
    seed: int | None = 0
    """Draw only checkpoints of this seed; None draws all."""
    out: Path = Path("results/recall_maps")
    """Folder for the picture and the table."""


def main(arguments: Arguments) -> None:
    """Compute, draw and print."""
    require(arguments.image >= 0, "image", "must be at least 0", arguments.image)
    loaded = [load_trained(path) for path in arguments.checkpoints]
    chosen = [(spec, network) for spec, network in loaded if arguments.seed in (None, spec.seed)]
    require(len(chosen) > 0, "checkpoints", f"must hold one of seed {arguments.seed}", len(loaded))
    scenes = [recall_scene(spec, arguments.pairs, arguments.image) for spec, _ in chosen]
    same = all((scene.lr.shape, scene.lr.tobytes()) == (scenes[0].lr.shape, scenes[0].lr.tobytes()) for scene in scenes)
    require(same, "checkpoints", "must all be of the same probe images", "different ones")
    rows, table = [], []
    for (spec, network), scene in zip(chosen, scenes, strict=True):
        label, maps = model_label(spec.model), weight_maps(network, scene)
        titled = tuple((f"{found.layer}: {found.found:.0%} on copies", found.weights) for found in maps)
        rows.append((max(found.found for found in maps), MapRow(label, titled)))
        table += [(label, spec.seed, found.layer, found.found) for found in maps]
    frame = pd.DataFrame(table, columns=["kernel", "seed", "layer", "weight_on_copies"])
    print(frame.to_markdown(index=False, floatfmt=".3f"))
    write_text(arguments.out / "recall_maps.csv", frame.to_csv(index=False))
    ordered = [row for _, row in sorted(rows, key=lambda pair: -pair[0])]
    save(recall_maps_figure(scenes[0].lr, scenes[0].query, scenes[0].answers, ordered), arguments.out / "recall_maps")
    print(f"Figure and table: {arguments.out}")


if __name__ == "__main__":
    command(main, Arguments)
