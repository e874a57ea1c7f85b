"""The cost of one forward pass, of a whole network or of any part of it."""

from __future__ import annotations

from dataclasses import dataclass

from grla.cost.memory import MIB

BYTES_OF_FLOAT = 4


@dataclass(frozen=True)
class Counts:
    """What one forward pass costs by definition. Counts of parts add up to those of the whole.

    Two counts are kept apart because papers mix them up: `macs` is every multiply-add, attention products included;
    `hook_flops` is what a counter of module hooks reports, the rule behind the GRLA paper's "FLOPs" column, see
    `grla.cost.rules.HOOK_RULES`. Both are in multiply-adds; floating-point operations are twice `macs`.

    `elementwise_ops`: the rest, one per element of every pointwise, reducing or normalising operation;
    `transcendental_ops`: those of them that need an exponential, logarithm, sine or error function.
    `activations`: elements in the outputs of all convolution and linear modules (the challenges on efficient
    super-resolution count convolutions only). `weight_bytes`: parameters and buffers as the network holds them.
    """

    num_params: int = 0
    macs: int = 0
    hook_flops: int = 0
    elementwise_ops: int = 0
    transcendental_ops: int = 0
    activations: int = 0
    weight_bytes: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    @property
    def activations_mib(self) -> float:
        """MiB of all activations in float32."""
        return self.activations * BYTES_OF_FLOAT / MIB

    @property
    def weights_mib(self) -> float:
        """MiB of parameters and buffers."""
        return self.weight_bytes / MIB
