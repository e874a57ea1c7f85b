"""GRLASR and the baselines it is compared with."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from grla.model.baselines import EdsrLite, find_factory, outside_model
from grla.model.network import GRLASR
from grla.model.weights import Misfit, fitting, load_weights, weights_digest, weights_keys, weights_of
from grla.spec import AnyModelSpec, EdsrLiteSpec, OutsideSpec


def build_model(spec: AnyModelSpec) -> nn.Module:
    """Build the network of `spec` with PyTorch's default initialisation, drawn from its global generator.

    GRLASR for a ModelSpec, a baseline for the others. Raises InputError for an unknown kernel, option or factory.
    """
    if isinstance(spec, OutsideSpec):
        return outside_model(spec.factory, spec.upscale)
    return EdsrLite(spec) if isinstance(spec, EdsrLiteSpec) else GRLASR(spec)


def build_seeded(spec: AnyModelSpec, seed: int) -> nn.Module:
    """Build the network of `spec` with weights that `seed` determines; PyTorch's global generator is left as it was.

    Each module of our networks is initialised from the seed and its own name. What two networks have in common, by
    name and shape, is equal in both, whatever else one of them has: a gate, a further block, another kernel. This is
    what pairs them (an outside model is built from the seed in whatever order its factory draws).
    """
    with torch.random.fork_rng(devices=[]):  # by default it touches every GPU
        torch.manual_seed(seed)
        model = build_model(spec)
        for name, module in () if isinstance(spec, OutsideSpec) else model.named_modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                torch.manual_seed(_seed_of(seed, name))
                reset()
    return model


def _seed_of(seed: int, name: str) -> int:
    """A seed for the module called `name`, equal on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7])


def build_on_meta(spec: AnyModelSpec) -> nn.Module:
    """The network on PyTorch's meta device, without data: for counting, which needs shapes alone."""
    with torch.device("meta"):
        return build_model(spec)
