"""What each operation costs: a rule for every operation that PyTorch dispatches, and the rules of module hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry

from grla.cost.counts import Counts
from grla.errors import InputError

# Operations that only move, view or create data.
FREE_OPS = (
    "_to_copy _unsafe_view alias arange as_strided cat clone constant_pad_nd copy detach diagonal empty expand eye "
    "fill flip full full_like gather im2col index index_put index_select lift_fresh linspace new_empty new_full "
    "new_ones new_zeros ones ones_like permute pixel_shuffle pixel_unshuffle reflection_pad2d repeat "
    "replication_pad2d roll scalar_tensor scatter select slice split split_with_sizes squeeze stack t transpose tril "
    "tril_indices triu triu_indices unbind unfold unsqueeze upsample_nearest2d view zero zeros zeros_like"
).split()
# One elementwise operation per output element. Roots and powers are among them: they are algebraic and cheap.
ELEMENTWISE_OPS = (
    "_prelu_kernel abs add addcdiv addcmul bitwise_and bitwise_not bitwise_or ceil clamp clamp_max clamp_min div eq "
    "floor floor_divide ge gt hardsigmoid hardswish hardtanh le leaky_relu lerp logical_and logical_not logical_or lt "
    "masked_fill maximum minimum mul ne neg pow prelu reciprocal relu remainder round rsqrt rsub sgn sign sqrt sub "
    "threshold where"
).split()
# One per input element.
REDUCTION_OPS = (
    "_adaptive_avg_pool2d _native_batch_norm_legit _native_batch_norm_legit_no_training _weight_norm_interface "
    "adaptive_max_pool2d amax amin avg_pool2d col2im cumsum linalg_vector_norm max max_pool2d_with_indices mean min "
    "native_batch_norm native_group_norm native_layer_norm prod std std_mean sum var var_mean"
).split()
# One per input element, and transcendental: not computable by finitely many sums, products and roots.
TRANSCENDENTAL_OPS = (
    "_log_softmax _safe_softmax _softmax atan cos elu erf exp expm1 gelu log log10 log1p log2 log_sigmoid_forward mish "
    "sigmoid silu sin softplus tan tanh"
).split()


def solve_macs(matrix: Sequence[int], right: Sequence[int]) -> int:
    """Multiply-adds of solving for (..., n, m) right sides by elimination, matrices (..., n, n)."""
    return prod(matrix) * matrix[-1] // 3 + prod(right) * matrix[-1]


Price = Callable[[Sequence[Any], Any], Counts]
# What an operation costs, by its arguments and output; its in-place form, which ends in an underscore, costs the same.
# Interpolation takes an elementwise operation for every input pixel that an output element is made of.
PRICES: dict[str, Price] = {
    **dict.fromkeys(FREE_OPS, lambda args, out: Counts()),
    **dict.fromkeys(ELEMENTWISE_OPS, lambda args, out: Counts(elementwise_ops=out.numel())),
    **dict.fromkeys(REDUCTION_OPS, lambda args, out: Counts(elementwise_ops=args[0].numel())),
    **dict.fromkeys(
        TRANSCENDENTAL_OPS,
        lambda args, out: Counts(elementwise_ops=args[0].numel(), transcendental_ops=args[0].numel()),
    ),
    "upsample_bilinear2d": lambda args, out: Counts(elementwise_ops=4 * out.numel()),
    "upsample_bicubic2d": lambda args, out: Counts(elementwise_ops=16 * out.numel()),
    "_linalg_solve_ex": lambda args, out: Counts(macs=solve_macs(args[0].shape, args[1].shape)),
}


def price(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> Counts:
    """What one dispatched operation costs, given its arguments and its output.

    Raises InputError with the operation's name when there is no rule for it.
    """
    packet = operation._overloadpacket
    if packet in flop_registry:
        # PyTorch's formulas count a multiply-add as two.
        return Counts(macs=flop_registry[packet](*args, **kwargs, out_val=out) // 2)
    name = packet.__name__.removesuffix("_")
    if name not in PRICES:
        raise InputError(f"cannot count this model: operation {operation} has no rule (rules: grla/cost/rules.py)")
    return PRICES[name](args, out)


def _conv(module: nn.Module, x: Tensor, out: Tensor) -> int:
    assert isinstance(module, CONVOLUTIONS)
    # Each value of the input (of a transposed convolution) or of the output takes part in a kernel's worth of products.
    values, others = (x, module.out_channels) if module.transposed else (out, module.in_channels)
    return values.numel() * prod(module.kernel_size) * others // module.groups


def _linear(module: nn.Module, x: Tensor, out: Tensor) -> int:
    assert isinstance(module, nn.Linear)
    return out.numel() * module.in_features


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# The rule that reproduces all published counts of the GRLA paper: multiply-adds of convolution and linear modules,
# 4 operations per element for BatchNorm and LayerNorm, 3 for nn.Softmax, nothing for functions.
HOOK_RULES: dict[type[nn.Module], Callable[[nn.Module, Tensor, Tensor], int]] = {
    **dict.fromkeys(CONVOLUTIONS, _conv),
    nn.Linear: _linear,
    nn.BatchNorm2d: lambda _, x, out: 4 * out.numel(),
    nn.LayerNorm: lambda _, x, out: 4 * out.numel(),
    nn.Softmax: lambda _, x, out: 3 * out.numel(),
}


def price_by_hook(module: nn.Module, inputs: Sequence[Any], out: Any) -> Counts:
    """What a hook sees of one call of `module`: hook_flops by the first rule that fits, and activations."""
    flops = next((rule(module, inputs[0], out) for kind, rule in HOOK_RULES.items() if isinstance(module, kind)), 0)
    counts = isinstance(module, (*CONVOLUTIONS, nn.Linear))
    return Counts(hook_flops=flops, activations=out.numel() if counts else 0)
