"""Draw and measure where networks of the recall probe look: the attention weights of blanked pixels, layer by layer.

    python studies/run_recall_maps.py results/recall_short/quick
    python studies/run_recall_maps.py A.pt B.pt --pairs 16 --image 3

Shares are means over all blanked pixels, images and seeds; the maps are those of one key of one image, mean over its
blanked pixels and the seeds. They describe weights: what causes the output, `run_interventions.py` measures. A minute
on one core.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from tqdm import tqdm

from command import command

from grla.analysis import flat_probe, layer_weights, load_networks, look, probe_images, recall_scenes
from grla.errors import require, require_choice
from grla.files import write_text
from grla.report import MapRow, intervals_table, recall_maps_figure, save

SIGNED, ABSOLUTE = "signed", "absolute"


@dataclass(frozen=True)
class Arguments:
    """Measure and draw the attention weights of blanked pixels, for each kernel and layer."""

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """The folder of a study of the recall probe, or checkpoint files, all of the same images."""
    pairs: int = 4
    """Number of distinct pairs in the image that is drawn."""
    image: int = 0
    """Which of the images with so many pairs is drawn."""
    images: int = 16
    """Test images for each number of pairs that the shares are means over."""
    out: Path = Path("results/recall_maps")
    """Folder for the picture and the table."""


def main(arguments: Arguments) -> None:
    """Compute, draw and print."""
    loaded = load_networks(arguments.checkpoints)
    (data, upscale), *others = {(flat_probe(spec), spec.model.upscale) for _, spec, _ in loaded}
    require(not others, "checkpoints", "must all be of the same probe images", others)
    tested = probe_images(data, upscale, arguments.images)
    require_choice("pairs", f"{arguments.pairs} pairs", list(dict.fromkeys(pair.test_set for pair in tested)))
    alike = [pair for pair in tested if pair.test_set == f"{arguments.pairs} pairs"]
    require(0 <= arguments.image < len(alike), "image", f"must lie between 0 and {len(alike) - 1}", arguments.image)
    drawn = alike[arguments.image]
    rows, maps = [], defaultdict(list)
    for label, spec, network in tqdm(loaded, "networks", disable=None):
        for pair in tested:
            scenes = list(recall_scenes(pair, data.glyph))
            about = {"network": label, "seed": spec.seed, "test_set": pair.test_set, "image": pair.name}
            for layer, weights in layer_weights(network, pair.lr).items():
                looks = [look(weights, scene) for scene in scenes]
                rows += [about | {"what": f"{layer}, {SIGNED}", "value": np.mean([one.signed for one in looks])}]
                rows += [about | {"what": f"{layer}, {ABSOLUTE}", "value": np.mean([one.absolute for one in looks])}]
                if pair is drawn:
                    maps[label, layer].append(looks[0].weights)
    table = intervals_table(pd.DataFrame(rows))
    print(table.to_markdown(index=False, floatfmt=".3f"))
    write_text(arguments.out / "recall_maps.csv", table.to_csv(index=False))
    scene = next(recall_scenes(drawn, data.glyph))
    figure = recall_maps_figure(drawn.lr, scene.queries, scene.answers, map_rows(maps, table, drawn.test_set))
    save(figure, arguments.out / "recall_maps")
    print(f"Figure and table: {arguments.out}")


def map_rows(maps: dict[tuple[str, str], list[np.ndarray]], table: pd.DataFrame, test_set: str) -> list[MapRow]:
    """By kernel the mean map of each layer, titled with its shares on this test set; who looks most comes first."""
    shares = table[table["test_set"] == test_set].set_index(["network", "what"])["mean"]
    rows = []
    for label in dict.fromkeys(label for label, _ in maps):
        layers = [layer for network, layer in maps if network == label]
        found = {layer: [shares[label, f"{layer}, {how}"] for how in (SIGNED, ABSOLUTE)] for layer in layers}
        titled = [
            (f"{layer}: {signed:.0%}, absolute {absolute:.0%}", np.mean(maps[label, layer], axis=0))
            for layer, (signed, absolute) in found.items()
        ]
        rows.append((max(absolute for _, absolute in found.values()), MapRow(label, tuple(titled))))
    return [row for _, row in sorted(rows, key=lambda pair: -pair[0])]


if __name__ == "__main__":
    command(main, Arguments)
