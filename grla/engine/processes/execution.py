"""How networks are computed, as far as that changes their time and memory and no number beyond rounding."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, fields, replace
from typing import cast

import torch
from torch import nn

from grla.cost import device_of
from grla.errors import require, require_choice

CHECKPOINT = "checkpoint_activations"  # the attribute of a network that can
MOST_GRAPHS = 256  # of one process; PyTorch's own limit for all of them together


@dataclass(frozen=True)
class Execution:
    """Ways to train a network, none of which is part of what a cell is: no spec and no hash knows them.

    `checkpoint_activations`: GRLASR keeps its blocks' inputs only and computes each block twice, to the same bits.
    `compile`: `torch.compile` turns the network into fused code, on a GPU with CUDA graphs (never run on one so far);
    results differ by rounding. `step_graph`: a GPU replays a training step as a CUDA graph (never run so far). Raises
    InputError for `compile` together with one of the others.
    """

    checkpoint_activations: bool = False
    compile: bool = False
    step_graph: bool = False

    def __post_init__(self) -> None:
        rule = "does not go with `compile`, which decides itself what to keep and what to compute twice"
        require(not (self.checkpoint_activations and self.compile), "checkpoint_activations", rule, "both")
        rule = "does not go with `compile`, which makes graphs of its own"
        require(not (self.step_graph and self.compile), "step_graph", rule, "both")

    def __str__(self) -> str:
        return ", ".join(field.name for field in fields(self) if getattr(self, field.name))

    def suited(self, model: nn.Module) -> Execution:
        """What of it `model` can do: only a network with the attribute of that name can checkpoint its activations."""
        return replace(self, checkpoint_activations=self.checkpoint_activations and hasattr(model, CHECKPOINT))

    def prepare(self, model: nn.Module) -> nn.Module:
        """What to call in training instead of `model`, on its device and sharing its weights; or `model` itself.

        Compiling happens in the first call, for a minute or more on a CPU. Raises InputError where it cannot.
        """
        if self.suited(model).checkpoint_activations:
            setattr(model, CHECKPOINT, True)
        if not self.compile:
            return model
        on_gpu = device_of(model).type == "cuda"
        compiler = os.environ.get("CXX", "g++")
        found = on_gpu or shutil.which(compiler) is not None
        require(found, "compile", "needs a C++ compiler on a CPU: install g++, or name one by CXX", compiler)
        mode = "reduce-overhead" if on_gpu else "default"
        # A network in training sees one size; all cells of a study are the same code, each with a graph of its own. The
        # limit is set for the process: `torch.compile` has no argument for it before PyTorch 2.12.
        torch._dynamo.config.recompile_limit = MOST_GRAPHS
        return cast(nn.Module, torch.compile(model, mode=mode, dynamic=False))


USUAL = Execution()
WAYS = {"checkpoint-activations": CHECKPOINT, "compile": "compile"}


def read_ways(name: str) -> tuple[str, Execution]:
    """The model and the execution of a benchmark's "MODEL+checkpoint-activations" or "MODEL+compile".

    Raises InputError for any other word after a "+".
    """
    model, *words = name.split("+")
    for word in words:
        require_choice(f"model {name}: what follows a +", word, WAYS)
    return model, Execution(**{WAYS[word]: True for word in words})
