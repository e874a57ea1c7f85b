"""Counting a network's work from the operations it really dispatches.

Two counts are kept apart because papers mix them up: `macs` is every multiply-add, attention products included;
`hook_flops` is what a counter of module hooks reports, the rule behind the GRLA paper's "FLOPs" column. Both say
multiply-adds; floating-point operations are twice `macs`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from grla.errors import InputError

# Operations that only move, view or create data.
FREE_OPS = frozenset(
    (
        "_to_copy _unsafe_view alias arange as_strided cat clone constant_pad_nd copy_ detach empty expand fill_ full "
        "full_like index index_select lift_fresh new_empty new_ones new_zeros ones ones_like permute pixel_shuffle "
        "pixel_unshuffle reflection_pad2d repeat replication_pad2d roll scalar_tensor select slice split "
        "split_with_sizes squeeze stack t transpose triu_indices unbind unsqueeze view zeros zeros_like diagonal eye "
    ).split()
)
# Operations that cost one elementwise operation per output element, and reductions: one per input element.
ELEMENTWISE_OPS = frozenset(
    (
        "_prelu_kernel abs add add_ clamp clamp_max clamp_min cos div div_ elu eq exp exp_ gelu hardsigmoid hardswish "
        "hardtanh leaky_relu leaky_relu_ log maximum minimum mul mul_ neg pow prelu reciprocal relu relu_ remainder "
        "rsqrt rsub sigmoid silu silu_ sin sqrt sub sub_ tanh where "
    ).split()
)
REDUCTION_OPS = frozenset(
    (
        "_adaptive_avg_pool2d _native_batch_norm_legit_no_training _safe_softmax _softmax amax amin "
        "avg_pool2d linalg_vector_norm max_pool2d_with_indices mean native_batch_norm native_group_norm "
        "native_layer_norm sum var_mean "
    ).split()
)

# Multiply-adds of solvers, by the arguments of the operation: n x n matrices, n x m right sides.
SOLVER_MACS: dict[str, Callable[..., int]] = {
    "_linalg_solve_ex": lambda matrix, right: matrix.numel() * matrix.shape[-1] // 3 + right.numel() * matrix.shape[-1],
}


@dataclass(frozen=True)
class Counts:
    """What one forward pass costs by definition.

    `macs`: all multiply-adds. `hook_flops`: the paper's rule, see `HOOK_RULES`. `elementwise_ops`: the rest, one per
    element of every pointwise, reducing or normalising operation (an exp counts as one).
    """

    num_params: int
    macs: int
    hook_flops: int
    elementwise_ops: int


def count(model: nn.Module, input_shape: tuple[int, ...]) -> Counts:
    """Count one forward pass of `model` on an input of `input_shape` (batch, channels, height, width).

    The pass runs on a copy without data (the meta device), in eval mode and on the plain path of modules that have
    one. Raises InputError with the operation's name when the model dispatches one that has no rule: a number with a
    hole is not a count.
    """
    definition = copy.deepcopy(model).to("meta").eval()
    for module in definition.modules():
        if hasattr(module, "plain_path"):
            module.plain_path = True  # type: ignore[assignment]
    num_params = sum(parameter.numel() for parameter in definition.parameters())
    with torch.no_grad(), _HookCounter(definition) as hooks, _OpCounter() as ops:
        definition(torch.empty(input_shape, device="meta"))
    return Counts(num_params, ops.macs, hooks.total, ops.elementwise_ops)


class _OpCounter(TorchDispatchMode):
    """Sums the cost of every dispatched operation; refuses those without a rule."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0
        self.elementwise_ops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func._overloadpacket.__name__
        if name in SOLVER_MACS:
            self.macs += SOLVER_MACS[name](*args)
        elif func._overloadpacket in flop_registry:
            # PyTorch's formulas count a multiply-add as two.
            self.macs += flop_registry[func._overloadpacket](*args, **kwargs, out_val=out) // 2
        elif name in ELEMENTWISE_OPS:
            self.elementwise_ops += out.numel()
        elif name in REDUCTION_OPS:
            self.elementwise_ops += args[0].numel()
        elif name not in FREE_OPS:
            raise InputError(f"cannot count this model: operation {func} has no rule (rules: grla/cost/macs.py)")
        return out


def _conv(module: nn.Module, out: Tensor) -> int:
    assert isinstance(module, nn.Conv2d)
    kernel_height, kernel_width = module.kernel_size
    return out.numel() * kernel_height * kernel_width * module.in_channels // module.groups


def _linear(module: nn.Module, out: Tensor) -> int:
    assert isinstance(module, nn.Linear)
    return out.numel() * module.in_features


# The rule under which all published counts of the GRLA paper come out: multiply-adds of convolution and linear
# modules, 4 operations an element for BatchNorm and LayerNorm, 3 for nn.Softmax, nothing for functions.
HOOK_RULES: dict[type[nn.Module], Callable[[nn.Module, Tensor], int]] = {
    nn.Conv2d: _conv,
    nn.Linear: _linear,
    nn.BatchNorm2d: lambda _, out: 4 * out.numel(),
    nn.LayerNorm: lambda _, out: 4 * out.numel(),
    nn.Softmax: lambda _, out: 3 * out.numel(),
}


class _HookCounter:
    """Forward hooks that apply `HOOK_RULES` to every module of a model while the context is open."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.total = 0
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> _HookCounter:
        for module in self.model.modules():
            for module_type, rule in HOOK_RULES.items():
                if isinstance(module, module_type):
                    self._handles.append(module.register_forward_hook(self._add(rule)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _add(self, rule: Callable[[nn.Module, Tensor], int]) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, out: Tensor) -> None:
            self.total += rule(module, out)

        return hook
