"""Measure what the attention kernels compute, without training (GRLA figures 1 and 6, and beyond).

    python studies/run_fidelity.py                                   random tokens, half a minute
    python studies/run_fidelity.py --checkpoint results/cells/HASH/weights.pt --image photo.png

Kernel value against angle; distribution of 2 gamma q.k and of the Taylor error; distance of every kernel to softmax at
the same temperature, beside plain averaging; how near the denominator of Eq. 12 comes to 0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from command import command

from grla.analysis import (
    Tokens,
    checkpoint_name,
    denominator_margins,
    distances_to_softmax,
    fidelity_kernels,
    kernel_profiles,
    load_trained,
    model_label,
    network_tokens,
    picture,
    random_tokens,
    taylor_errors,
    taylor_histogram,
    to_batch,
)
from grla.engine import require_new_layout
from grla.errors import require, require_at_least
from grla.files import write_text
from grla.provenance import describe_run
from grla.report import PROVENANCE, write_fidelity


@dataclass(frozen=True)
class Arguments:
    """Measure what the attention kernels compute, without training: tables, figures and a summary."""

    checkpoint: Path | None = None
    """Checkpoint of a study, whose q, k and v are measured too, layer by layer."""
    image: Path | None = None
    """HR picture for the checkpoint; by default a photo shipped with an installed package."""
    head_dim: int = 55
    """Width of the random tokens; 55 is the paper's."""
    num_tokens: int = 512
    """Number of random tokens, and of tokens drawn from each layer of the checkpoint."""
    gamma: float = 0.5
    """Gamma (times sqrt(head_dim)) of the figure of Taylor errors."""
    seed: int = 0
    """Seed of everything random."""
    out: Path = Path("results/fidelity")
    """Folder for tables, figures and summary.md."""


def main(arguments: Arguments) -> None:
    """Measure, write, print."""
    require_new_layout(arguments.out)
    require_at_least("num_tokens", arguments.num_tokens, 2)
    require_at_least("head_dim", arguments.head_dim, 2)
    require(0 <= arguments.seed < 2**63, "seed", "must lie between 0 and 2**63 - 1", arguments.seed)
    tokens, about = all_tokens(arguments)
    head_dim, num_tokens, seed = arguments.head_dim, arguments.num_tokens, arguments.seed
    tables = {
        "profiles": kernel_profiles(fidelity_kernels(), head_dim, (1.0, head_dim**0.5), seed=seed),
        "taylor_errors": taylor_errors(tokens, arguments.gamma),
        "taylor_histogram": taylor_histogram(tokens, arguments.gamma),
        "distances": distances_to_softmax(tokens, fidelity_kernels()),
        "margins": denominator_margins(head_dim, num_tokens, seed=seed),
    }
    for name, table in tables.items():
        write_text(arguments.out / f"{name}.csv", table.to_csv(index=False))
    provenance = {**describe_run(), "fidelity": f"{about} N = {num_tokens} tokens."}
    write_text(arguments.out / PROVENANCE, json.dumps(provenance, indent=2) + "\n")
    write_fidelity(arguments.out)
    print((arguments.out / "summary.md").read_text(encoding="utf-8"))
    print(f"Tables and figures: {arguments.out}")


def all_tokens(arguments: Arguments) -> tuple[list[Tokens], str]:
    """Random tokens, those of the checkpoint's layers if there is one, and a sentence that describes them."""
    tokens = [random_tokens(arguments.num_tokens, arguments.head_dim, arguments.seed)]
    about = f"Random tokens: standard normal, head_dim {arguments.head_dim}, seed {arguments.seed}."
    if arguments.checkpoint is None:
        return tokens, about
    spec, network = load_trained(arguments.checkpoint)
    pair = picture(arguments.image, spec.model.upscale)
    tokens += network_tokens(network, to_batch(pair.lr), arguments.num_tokens, arguments.seed)
    trained = f"{checkpoint_name(arguments.checkpoint)}, trained with {model_label(spec.model)}"
    return tokens, f"{about} Layers: the global attention of {trained}, on the LR of {pair.name}."


if __name__ == "__main__":
    command(main, Arguments)
