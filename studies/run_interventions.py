"""Change something and see what trained networks do: causal evidence of look-up, with intervals.

    python studies/run_interventions.py results/recall_short/quick
    python studies/run_interventions.py results/recall_photos/quick --test-data data/Set5

Of networks of the recall probe one intact value is swapped for another: does the output follow at the blanked copies of
its key, and only there? They are also tested on larger images with more pairs, with cells that match nothing, and with
keys that stand with two values. And in any network the weights of a layer are replaced by uniform ones of the same sum:
what does that cost? Averaged over all queries, images and seeds. Minutes on one core.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tyro
from torch import nn
from tqdm import tqdm

from command import command

from grla.analysis import (
    flat_probe,
    load_networks,
    losses_without,
    other_tests,
    probe_images,
    respond,
    scores_ignoring_keys,
    scores_on,
)
from grla.data import IGNORING_KEYS, ImagePair, read_test_sets
from grla.errors import require
from grla.files import write_text
from grla.provenance import describe_run
from grla.report import (
    ABOUT_INTERVENTIONS,
    INTERVENTIONS,
    LOST,
    OTHERS,
    OWN,
    SCORE,
    intervals_table,
    interventions_figure,
    other_tests_figure,
    save,
)
from grla.spec import RecallSpec, RunSpec


@dataclass(frozen=True)
class Arguments:
    """Swap values and replace attention weights, and measure what trained networks do."""

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """The folder of a study, of the recall probe with flat glyphs or of photographs, or checkpoint files of one."""
    test_data: tuple[Path, ...] = ()
    """Folders of test images for networks of photographs; by default photos shipped with the installed packages."""
    images: int = 16
    """Test images of the probe for each number of pairs."""
    out: Path = Path("results/interventions")
    """Folder for the rows and figures; in that of the study, its report has them, too (report.py)."""


def main(arguments: Arguments) -> None:
    """Measure, write and print."""
    require(arguments.images >= 1, "images", "must be at least 1", arguments.images)
    rows = []
    loaded = load_networks(arguments.checkpoints)
    for label, spec, network in tqdm(loaded, "interventions", disable=None):
        about = {"network": label, "seed": spec.seed}
        rows += [about | row for row in measured(spec, network, arguments)]
    probes = {(spec.data, spec.model.upscale) for _, spec, _ in loaded if isinstance(spec.data, RecallSpec)}
    for data, upscale in probes:
        rows += [
            {"network": IGNORING_KEYS, "seed": 0} | row for row in scored_without_keys(data, upscale, arguments.images)
        ]
    frame = pd.DataFrame(rows).dropna(subset=["value"])
    table = intervals_table(frame)
    print(table.to_markdown(index=False, floatfmt="+.3f"))
    write_text(arguments.out / INTERVENTIONS, frame.to_csv(index=False, float_format="%.6g"))
    write_text(arguments.out / ABOUT_INTERVENTIONS, json.dumps(describe_run(), indent=2) + "\n")
    save(interventions_figure(frame), arguments.out / "interventions")
    if probes:
        save(other_tests_figure(frame), arguments.out / "other_tests")
    print(f"Rows and figures: {arguments.out}")


def measured(spec: RunSpec, network: nn.Module, arguments: Arguments) -> Iterator[dict[str, object]]:
    """The rows of one network, without its name."""
    upscale = spec.model.upscale
    if isinstance(spec.data, RecallSpec):
        data = flat_probe(spec)
        pairs = probe_images(data, upscale, arguments.images)
        for found in (respond(network, pair, data.glyph) for pair in pairs):
            where = {"test_set": found.test_set, "image": found.image}
            yield where | {"what": OWN, "value": found.own}
            yield where | {"what": OTHERS, "value": found.others}
        for name, test in other_tests(data).items():
            images = probe_images(test, upscale, arguments.images)
            yield from rows_of(SCORE + name, images, scores_on(network, images, upscale))
    else:
        sources = list(map(str, arguments.test_data)) or ["bundled"]
        pairs = read_test_sets(sources, upscale).pairs
    for layer, losses in losses_without(network, pairs, upscale).items():
        yield from rows_of(LOST + layer, pairs, losses)


def scored_without_keys(data: RecallSpec, upscale: int, number: int) -> Iterator[dict[str, object]]:
    """The rows of the best guess that ignores keys on all tests of a probe."""
    for name, test in other_tests(data).items():
        yield from rows_of(
            SCORE + name, probe_images(test, upscale, number), scores_ignoring_keys(test, upscale, number)
        )


def rows_of(what: str, pairs: list[ImagePair], values: list[float]) -> Iterator[dict[str, object]]:
    """A row per image."""
    for pair, value in zip(pairs, values, strict=True):
        yield {"test_set": pair.test_set, "image": pair.name, "what": what, "value": value}


if __name__ == "__main__":
    command(main, Arguments)
