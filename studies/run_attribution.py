"""Draw local attribution maps of trained networks: which LR pixels does a patch of the SR image depend on?

GRLA figure 2: LAM (Gu and Dong 2021) with its diffusion index DI, reported widest for the Gaussian-RBF kernel (31.77).

    python studies/run_attribution.py results/attention/quick/cells/*/weights.pt
    python studies/run_attribution.py A.pt B.pt --image photo.png --top 96 --left 160 --size 16

Under ten seconds a checkpoint of profile quick on one core: 50 forward and backward passes over the whole LR image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from command import command

from grla.analysis import (
    Target,
    attribution_map,
    checkpoint_name,
    diffusion_index,
    load_trained,
    model_label,
    picture,
    strength_map,
    to_batch,
)
from grla.errors import require
from grla.files import write_text
from grla.report import AttributionTile, attribution_figure, save, sharpest_crop


@dataclass(frozen=True)
class Arguments:
    """Draw which LR pixels a patch of the SR image depends on (LAM), and the diffusion index, for each checkpoint."""

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """Checkpoint files that studies wrote, all of one upscale."""
    image: Path | None = None
    """HR picture; its LR is made by bicubic. By default a photo shipped with an installed package."""
    top: int | None = None
    """First row of the target patch in HR pixels; by default that of the sharpest patch."""
    left: int | None = None
    """First column of the target patch in HR pixels; by default that of the sharpest patch."""
    size: int = 16
    """Side of the target patch in HR pixels."""
    steps: int = 50
    """Steps of the path from the blurred to the sharp LR image."""
    sigma: float = 1.2
    """Width of the strongest blur in LR pixels."""
    out: Path = Path("results/attribution")
    """Folder for the picture and the table."""


def main(arguments: Arguments) -> None:
    """Compute, draw and print."""
    require(len(arguments.checkpoints) > 0, "checkpoints", "must name at least one file", arguments.checkpoints)
    loaded = [load_trained(path) for path in arguments.checkpoints]
    upscales = {spec.model.upscale for spec, _ in loaded}
    require(len(upscales) == 1, "checkpoints", "must all have one upscale", sorted(upscales))
    upscale = upscales.pop()
    pair = picture(arguments.image, upscale)
    target = find_target(arguments, pair.hr)
    rows, tiles = [], []
    for path, (spec, network) in zip(arguments.checkpoints, tqdm(loaded, "attribution", disable=None), strict=True):
        found = attribution_map(network, to_batch(pair.lr), target, arguments.steps, arguments.sigma)
        strengths = strength_map(found).double().numpy()
        index, label = diffusion_index(strengths), model_label(spec.model)
        rows.append((checkpoint_name(path), label, spec.seed, index, float(found.sum())))
        tiles.append(AttributionTile(f"{label}\n{checkpoint_name(path)}", strengths, index))
    table = pd.DataFrame(rows, columns=["checkpoint", "network", "seed", "diffusion_index", "sum_of_attributions"])
    print(table.iloc[:, :4].to_markdown(index=False, floatfmt=".2f"))
    table = table.assign(image=pair.name, **vars(target), steps=arguments.steps, sigma=arguments.sigma)
    box = (target.top / upscale, target.left / upscale, target.size / upscale)
    write_text(arguments.out / "attribution.csv", table.to_csv(index=False))
    save(attribution_figure(pair.lr, box, tiles), arguments.out / "attribution")
    print(f"Figure and table: {arguments.out}")


def find_target(arguments: Arguments, hr: NDArray[np.uint8]) -> Target:
    """The patch asked for; a side that is None is that of the sharpest patch of `hr` (height, width, 3)."""
    # The edge detector reads one pixel further to the right and below.
    top, left = sharpest_crop(hr[:-1, :-1], arguments.size)
    top = top if arguments.top is None else arguments.top
    return Target(top, left if arguments.left is None else arguments.left, arguments.size)


if __name__ == "__main__":
    command(main, Arguments)
