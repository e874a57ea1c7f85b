"""fvcore's count of multiply-adds, with rules for the operations that its own table lacks or gets wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from fvcore.nn import FlopCountAnalysis
from fvcore.nn.jit_handles import get_shape
from torch import Tensor, nn

from grla.cost.rules import solve_macs
from grla.errors import InputError

# Operations that fvcore counts although they have no multiply-adds.
NO_MACS = (
    "adaptive_avg_pool2d batch_norm grid_sampler group_norm instance_norm layer_norm upsample_bilinear2d "
    "upsample_nearest2d"
).split()
ELLIPSIS_LABELS = "ZYXWVUTS"


def macs_by_fvcore(model: nn.Module, lr: Tensor) -> int:
    """Multiply-adds of model(lr), (batch, channels, height, width), from a trace of its operations.

    Operations that fvcore does not know count as 0, which shows as a difference to the other counters. Raises
    InputError for an einsum that is not a product of two tensors.
    """
    analysis = FlopCountAnalysis(model, lr).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    handles = {f"aten::{name}": lambda *_: 0 for name in NO_MACS} | HANDLES
    return int(analysis.tracer_warnings("none").set_op_handle(**handles).total())


def einsum_macs(equation: str, left: Sequence[int], right: Sequence[int]) -> int:
    """Multiply-adds of an einsum of two tensors of these shapes.

    One for every combination of values of all labels but those that are summed over and occur in one tensor only: they
    are summed beforehand. Without a label to sum over in both tensors it is an elementwise product and has none.
    """
    terms, arrow, result = equation.replace(" ", "").partition("->")
    labels = [_spelled_out(term, len(shape)) for term, shape in zip(terms.split(","), (left, right), strict=True)]
    once = "".join(label for label in labels[0] + labels[1] if (labels[0] + labels[1]).count(label) == 1)
    kept = set(result.replace("...", ELLIPSIS_LABELS) if arrow else once + ELLIPSIS_LABELS)
    sizes = dict(zip(labels[0], left, strict=True))
    for label, size in zip(labels[1], right, strict=True):
        sizes[label] = max(size, sizes.get(label, 1))
    summed = set(labels[0]) & set(labels[1]) - kept
    return prod(size for label, size in sizes.items() if label in kept | summed) if summed else 0


def _spelled_out(term: str, num_axes: int) -> str:
    """The term with a label for every axis that "..." stands for, from the last one on."""
    missing = num_axes - len(term.replace("...", ""))
    return term.replace("...", ELLIPSIS_LABELS[:missing][::-1])


def _einsum(inputs: Any, outputs: Any) -> int:
    shapes = [get_shape(value) for value in inputs[1].node().inputs()]
    if len(shapes) != 2:
        rule = "must be a product of two tensors to be counted"
        raise InputError(f"einsum {inputs[0].toIValue()!r} {rule}, got {len(shapes)} tensors")
    return einsum_macs(inputs[0].toIValue(), *shapes)


def _product(first: int) -> Callable[[Any, Any], int]:
    """A matrix product whose left matrix is input number `first`; batches of either side are broadcast."""
    return lambda inputs, outputs: prod(get_shape(outputs[0])) * get_shape(inputs[first])[-1]


def _attention(inputs: Any, outputs: Any) -> int:
    """Queries times keys, then weights times values."""
    q, k, v = (get_shape(value) for value in inputs[:3])
    return int(prod(q[:-1]) * k[-2] * (q[-1] + v[-1]))


def _convolution(inputs: Any, outputs: Any) -> int:
    """A convolution with padding="same" or "valid", which PyTorch dispatches as an operation of its own."""
    weight = get_shape(inputs[1])
    return int(prod(get_shape(outputs[0])) * prod(weight[1:]))


HANDLES: dict[str, Callable[[Any, Any], int]] = {
    "aten::_convolution_mode": _convolution,
    "aten::baddbmm": _product(1),
    "aten::einsum": _einsum,  # fvcore's is rounded to four digits
    "aten::linalg_solve_ex": lambda inputs, _: solve_macs(get_shape(inputs[0]), get_shape(inputs[1])),
    "aten::matmul": _product(0),  # fvcore's ignores the batch of the right matrix
    "aten::scaled_dot_product_attention": _attention,
}
