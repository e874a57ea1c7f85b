"""What networks cost, counted: a record for `run_benchmark.py cost`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from grla.answers import TAKES, require_answer
from grla.benchmark.networks import benchmark_record, find_network, require_lr_size, usable
from grla.cost import agreed_macs, count_tree, definition_of, plain_torch, readings, suited
from grla.errors import InputError, require

# Output sizes (height, width) that published counts refer to: SwinIR's paper says 1280x720, its code 1024x720 (issues
# 65 and 98 there); and the LR input of the challenges on efficient super-resolution.
PUBLISHED_OUTPUTS = ((720, 1280), (720, 1024))
CHALLENGE_INPUT = (256, 256)


def count_networks(
    names: Sequence[str], upscale: int, lr_size: tuple[int, int], published: float | None = None
) -> dict[str, Any]:
    """A record of what the networks cost on an LR input of `lr_size`, (height, width).

    A row per network (see `find_network`): the fields of `grla.cost.Counts`, both sizes in MiB, `checked` (on which
    LR size three counters agreed, on what number of multiply-adds), and the `tree` of its modules
    (`grla.cost.tree.Node`). With a `published` figure (in units of 1e9) and one network the record has its `readings`,
    see `grla.cost.decoder`. Networks that cannot be counted have no row, and the reason in `refused`. Raises
    InputError if none can.
    """
    require_lr_size(lr_size)
    if published is not None:
        require(published > 0, "published", "must be above 0, in units of 1e9 operations", published)
        require(len(names) == 1, "published", "must be the figure of one model: name that one only", ", ".join(names))
    rows, refused = usable(names, lambda name: _row(name, upscale, lr_size))
    record = benchmark_record(torch.device("cpu"), upscale=upscale, lr_size=list(lr_size), models=list(rows.values()))
    if refused:
        record |= {"refused": refused}
    if published is not None:
        record |= {"published": published, "readings": _readings(names[0], upscale, lr_size, published)}
    return record


def _row(name: str, upscale: int, lr_size: tuple[int, int]) -> dict[str, Any]:
    model = find_network(name, upscale)
    with _refusals_named(name, lr_size):
        _require_fit(model, upscale, lr_size)
        tree = count_tree(model, (1, 3, *lr_size))
        size, macs = agreed_macs(model, lr_size)
    counts = tree.counts
    sizes = {"activations_mib": counts.activations_mib, "weights_mib": counts.weights_mib}
    return {
        "model": name,
        **vars(counts),
        **sizes,
        "checked": {"lr_size": list(size), "macs": macs},
        "tree": asdict(tree),
    }


def _require_fit(model: nn.Module, upscale: int, lr_size: tuple[int, int]) -> None:
    """Raise ModelError if the network answers with something else than an image of the right size; without data."""
    network = definition_of(model, "meta")
    lr = suited(torch.empty(1, 3, *lr_size, device="meta"), network)
    with plain_torch():
        try:
            answer = network(lr)
        except Exception:  # why it has none without data is what counting finds
            return
    require_answer(answer, lr, (1, 3, *(upscale * side for side in lr_size)))


def _readings(name: str, upscale: int, lr_size: tuple[int, int], published: float) -> list[dict[str, Any]]:
    """The readings of a figure on the LR size asked for and on those that papers use."""
    sizes = {f"output {width}x{height}": (height // upscale, width // upscale) for height, width in PUBLISHED_OUTPUTS}
    asked, challenge = ({f"LR {size[1]}x{size[0]}": size} for size in (lr_size, CHALLENGE_INPUT))
    others = asked if lr_size not in sizes.values() else {}
    with _refusals_named(name, lr_size):
        found = readings(find_network(name, upscale), 1e9 * published, sizes | others | challenge)
    return [asdict(reading) for reading in found]


@contextmanager
def _refusals_named(name: str, lr_size: tuple[int, int]) -> Iterator[None]:
    """Turn what counting raises into an InputError that names the network."""
    try:
        yield
    except InputError as error:
        raise InputError(f"model {name}: {error}") from error
    except Exception as error:  # code from outside may raise anything on a size that it does not support
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        rule = f"cannot be counted on an LR input of {lr_size[1]}x{lr_size[0]} ({reason})"
        raise InputError(f"model {name} {rule}; if that is too small for it, give a larger one; {TAKES}") from error
