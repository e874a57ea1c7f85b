"""Change something and see what trained networks do: causal evidence of look-up, with intervals.

    python studies/run_interventions.py results/recall/quick/cells/*/weights.pt
    python studies/run_interventions.py results/recall_photos/quick/cells/*/weights.pt --test-data data/Set5

Of networks of the recall probe one intact value is swapped for another: does the output follow at the blanked copies of
its key, and only there? And in any network the weights of a layer are replaced by uniform ones: what does that cost?
Averaged over all queries, images and seeds. Minutes on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tyro
from tqdm import tqdm

from command import command

from grla.analysis import load_trained, losses_without, model_label, respond
from grla.data import ImagePair, RecallSampler, read_test_sets
from grla.errors import require
from grla.files import write_text
from grla.report import LOST, OTHERS, OWN, interventions_figure, interventions_table, save
from grla.spec import RecallSpec, RunSpec


@dataclass(frozen=True)
class Arguments:
    """Swap values and replace attention weights, and measure what trained networks do."""

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """Checkpoint files of one study: of the recall probe with flat glyphs, or of photographs."""
    test_data: tuple[Path, ...] = ()
    """Folders of test images for networks of photographs; by default photos shipped with the installed packages."""
    images: int = 16
    """Test images of the probe for each number of pairs."""
    out: Path = Path("results/interventions")
    """Folder for the rows, the table and the figure."""


def main(arguments: Arguments) -> None:
    """Measure, write and print."""
    require(arguments.images >= 1, "images", "must be at least 1", arguments.images)
    require(len(arguments.checkpoints) > 0, "checkpoints", "must name at least one file", arguments.checkpoints)
    rows = []
    for path in tqdm(arguments.checkpoints, "interventions", disable=None):
        spec, network = load_trained(path)
        pairs = tested(spec, arguments)
        about = {"network": model_label(spec.model), "seed": spec.seed}
        if isinstance(spec.data, RecallSpec):
            for found in (respond(network, pair, spec.data.glyph) for pair in pairs):
                where = {"test_set": found.test_set, "image": found.image}
                rows += [about | where | {"what": OWN, "value": found.own}]
                rows += [about | where | {"what": OTHERS, "value": found.others}]
        for layer, losses in losses_without(network, pairs, spec.model.upscale).items():
            for pair, loss in zip(pairs, losses, strict=True):
                where = {"test_set": pair.test_set, "image": pair.name}
                rows.append(about | where | {"what": LOST + layer, "value": loss})
    frame = pd.DataFrame(rows).dropna(subset=["value"])
    table = interventions_table(frame)
    print(table.to_markdown(index=False, floatfmt="+.3f"))
    write_text(arguments.out / "interventions.csv", frame.to_csv(index=False))
    write_text(arguments.out / "summary.csv", table.to_csv(index=False))
    save(interventions_figure(frame), arguments.out / "interventions")
    print(f"Rows, table and figure: {arguments.out}")


def tested(spec: RunSpec, arguments: Arguments) -> list[ImagePair]:
    """The test images of a network: those of its probe, or the photographs asked for."""
    if not isinstance(spec.data, RecallSpec):
        sources = list(map(str, arguments.test_data)) or ["bundled"]
        return read_test_sets(sources, spec.model.upscale).pairs
    data = spec.data
    require(data.texture == 0, "checkpoints", "must be of the recall probe with flat glyphs", data.texture)
    sampler = RecallSampler.of(data, spec.model.upscale)
    return sampler.pairs("test", arguments.images)


if __name__ == "__main__":
    command(main, Arguments)
