"""Which counting rule gives a published "FLOPs" figure: papers rarely say what they count, or for which input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from grla.cost.macs import counts_by_module


@dataclass(frozen=True)
class Reading:
    """One way to read a figure: what is counted, on which input, and the number this gives.

    `off` is the relative difference of `value` from the published number, 0 or more.
    """

    rule: str
    size: str
    value: int
    off: float


def readings(model: nn.Module, published: float, lr_sizes: Mapping[str, tuple[int, int]]) -> list[Reading]:
    """Every rule's number on every LR input (height, width), nearest to `published` (operations) first.

    Rules that give the same number on an input are one reading.
    """
    found = []
    for size, (height, width) in lr_sizes.items():
        together: dict[int, list[str]] = {}
        for rule, value in _by_rule(model, (1, 3, height, width)).items():
            together.setdefault(value, []).append(rule)
        found += [
            Reading(" = ".join(rules), size, value, abs(value / published - 1)) for value, rules in together.items()
        ]
    return sorted(found, key=lambda reading: reading.off)


def _by_rule(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, int]:
    """The rules of papers and counters: what is counted, and whether a multiply-add counts as one or two operations."""
    modules, shares = dict(model.named_modules()), counts_by_module(model, input_shape)

    def hooks(*kinds: type[nn.Module]) -> int:
        return sum(share.hook_flops for name, share in shares.items() if isinstance(modules[name], kinds))

    macs = sum(share.macs for share in shares.values())
    seen = {
        "all multiply-adds": macs,
        "convolution and linear modules": hooks(nn.Conv2d, nn.Linear),
        "convolution modules": hooks(nn.Conv2d),
        "module hooks, norms and softmax too (hook_flops)": hooks(nn.Module),
    }
    # fvcore counts 5 operations per element of LayerNorm and 2 of BatchNorm where hooks count 4.
    fvcore = macs + hooks(nn.LayerNorm) * 5 // 4 + hooks(nn.BatchNorm2d) // 2
    doubled = {f"2 x {rule}": 2 * value for rule, value in seen.items()}
    return {**seen, "all multiply-adds and norms (fvcore's total)": fvcore, **doubled}
