"""Counting a network's work from the operations it dispatches, module by module."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from grla.cost.counts import Counts
from grla.cost.definition import definition_of, plain_torch
from grla.cost.latency import suited
from grla.cost.rules import price, price_by_hook
from grla.errors import InputError


def count(model: nn.Module, input_shape: tuple[int, ...]) -> Counts:
    """Count one forward pass of `model` on an input of `input_shape` (batch, channels, height, width).

    The pass runs on a copy without data (the meta device), in eval mode and on the plain path of modules that have
    one. Raises InputError with the operation's name when the model dispatches one that has no rule, and for a model
    that does what the values of its input say: what it costs cannot be told from shapes.
    """
    return sum(counts_by_module(model, input_shape).values(), Counts())


def counts_by_module(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, Counts]:
    """The same by module name: each module's share without those of its children, so that all add up to the whole.

    An operation belongs to the innermost module whose call it is part of, a tensor to the first module that holds it.
    """
    definition = definition_of(model, "meta")
    lr = suited(torch.empty(input_shape, device="meta"), definition)
    with plain_torch(), _by_shapes_alone(), _Meter(definition) as meter:
        definition(lr)
    return {name: held + meter.done[name] for name, held in _held(model).items()}


@contextmanager
def _by_shapes_alone() -> Iterator[None]:
    """An InputError instead of the error of a tensor without data that is asked for a value."""
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        if "meta" not in str(error) and "_local_scalar_dense" not in str(error):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(
            f"cannot count this model: what it does depends on values, not on shapes alone ({reason})"
        ) from error


def _held(model: nn.Module) -> dict[str, Counts]:
    """Parameters and bytes of every module without those of its children."""
    seen: set[int] = set()
    held = {}
    for name, module in model.named_modules():
        own = chain(module.parameters(recurse=False), module.buffers(recurse=False))
        tensors = [tensor for tensor in own if id(tensor) not in seen]
        seen |= {id(tensor) for tensor in tensors}
        num_params = sum(tensor.numel() for tensor in tensors if isinstance(tensor, nn.Parameter))
        held[name] = Counts(num_params, weight_bytes=sum(t.numel() * t.element_size() for t in tensors))
    return held


class _Meter(TorchDispatchMode):
    """Adds the cost of every dispatched operation, and what hooks see, to the module that runs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.done: defaultdict[str, Counts] = defaultdict(Counts)
        self._running = [""]
        for name, module in model.named_modules():
            # Before all other hooks: those that compute a weight from others (weight_norm) are part of the call.
            module.register_forward_pre_hook(self._enter(name), prepend=True)
            module.register_forward_hook(self._leave)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.done[self._running[-1]] += price(func, args, kwargs or {}, out)
        return out

    def _enter(self, name: str) -> Callable[..., None]:
        return lambda *_: self._running.append(name)

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], out: object) -> None:
        self.done[self._running.pop()] += price_by_hook(module, inputs, out)
