"""Multiply-adds by three counters: a number is shown only if all of them agree."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from grla.cost.definition import definition_of, plain_torch
from grla.cost.fvcore_rules import macs_by_fvcore
from grla.cost.latency import suited
from grla.cost.macs import count
from grla.cost.rules import solve_macs
from grla.errors import InputError

# Sides of the inputs on which counters are compared; a network that fails on the first gets the next.
CHECK_SIDES = (24, 64, 256)


def agreed_macs(model: nn.Module, lr_size: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """The LR size (height, width) at which three counters were compared, and the multiply-adds that all of them find.

    They work differently: ours counts operations dispatched without data, PyTorch's FlopCounterMode those dispatched
    with data, fvcore those of a trace, by its own formulas; only the formula of linear solvers is shared. The size is a
    small one within `lr_size`, because two of them run the network. Raises InputError with every counter's number when
    they do not agree, and the network's own error when it accepts no such input.
    """
    sizes = ((min(side, lr_size[0]), min(side, lr_size[1])) for side in CHECK_SIDES)
    *smaller, largest = dict.fromkeys(sizes)
    for size in smaller:
        try:
            return size, _compare(model, size)
        except InputError:
            raise
        except Exception:  # too small for this network, which may fail in any way
            continue
    return largest, _compare(model, largest)


def _compare(model: nn.Module, lr_size: tuple[int, int]) -> int:
    shape = (1, 3, *lr_size)
    definition = definition_of(model, "cpu")
    lr = suited(torch.zeros(shape), definition)
    macs = {"grla": count(model, shape).macs}
    with plain_torch():
        macs["FlopCounterMode"] = _macs_by_flop_counter_mode(definition, lr)
        macs["fvcore"] = macs_by_fvcore(definition, lr)
    if len(set(macs.values())) > 1:
        numbers = ", ".join(f"{name} {number}" for name, number in macs.items())
        size = f"{lr_size[1]}x{lr_size[0]}"
        raise InputError(f"cannot count this model: counters of MACs do not agree on an LR input of {size}: {numbers}")
    return macs["grla"]


def _macs_by_flop_counter_mode(model: nn.Module, lr: Tensor) -> int:
    solvers = {torch.ops.aten._linalg_solve_ex: lambda matrix, right, **_: 2 * solve_macs(matrix, right)}
    with FlopCounterMode(display=False, custom_mapping=solvers) as counter:
        model(lr)
    return int(counter.get_total_flops()) // 2
