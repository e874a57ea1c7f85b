"""Queries, keys and values to measure kernels on: random ones, and those inside a trained network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grla.attention import AttentionKernel, GlobalAttention
from grla.errors import require


@dataclass(frozen=True)
class Tokens:
    """What one attention head sees: `q`, `k`, `v` float64 (num_tokens, head_dim); `source` names their origin."""

    source: str
    q: Tensor
    k: Tensor
    v: Tensor


def random_tokens(num_tokens: int, head_dim: int, seed: int = 0) -> Tokens:
    """Independent standard normal q, k and v."""
    generator = torch.Generator().manual_seed(seed)
    return Tokens("random", *torch.randn(3, num_tokens, head_dim, generator=generator, dtype=torch.float64))


def network_tokens(network: nn.Module, lr: Tensor, num_tokens: int, seed: int = 0) -> list[Tokens]:
    """q, k and v of each head of each global attention layer while `network` upscales `lr` (1, 3, height, width).

    Of a longer sequence `num_tokens` tokens are drawn at random, the same for all layers of one length. Sources are
    called "layer 1", "layer 2", ... in the order of the network, with "head 1" and so on where there are several.
    Raises InputError for a network without global attention.
    """
    found = []
    for index, (kernel, qkv) in enumerate(attention_inputs(network, lr), start=1):
        q, k, v = (x[..., : kernel.head_dim] for x in qkv)  # without the channels of zeros that pad it for speed
        order = torch.randperm(q.shape[2], generator=torch.Generator().manual_seed(seed))
        chosen = order[:num_tokens].sort().values
        for head in range(q.shape[1]):
            source = f"layer {index}" + (f" head {head + 1}" if q.shape[1] > 1 else "")
            found.append(Tokens(source, *(x[0, head, chosen].double().clone() for x in (q, k, v))))
    return found


def attention_inputs(network: nn.Module, lr: Tensor) -> list[tuple[AttentionKernel, tuple[Tensor, Tensor, Tensor]]]:
    """Each global attention layer's kernel and the q, k and v that it gets while `network` upscales `lr`.

    `lr` is (1, 3, height, width); q, k and v are (1, num_heads, num_tokens, head_dim or more, padded with zeros).
    Raises InputError for a network without global attention.
    """
    seen: list[tuple[AttentionKernel, tuple[Tensor, Tensor, Tensor]]] = []
    # WindowAttention derives from GlobalAttention, but its tokens are those of one window.
    layers = [module for module in network.modules() if type(module) is GlobalAttention]
    require(len(layers) > 0, "the network", "must have a global attention layer", type(network).__name__)

    def keep(kernel: nn.Module, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
        assert isinstance(kernel, AttentionKernel)
        seen.append((kernel, inputs))

    hooks = [layer.kernel.register_forward_pre_hook(keep) for layer in layers]
    try:
        with torch.inference_mode():
            network(lr)
    finally:
        for hook in hooks:
            hook.remove()
    return seen
