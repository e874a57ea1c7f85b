"""What every network must answer, whoever wrote it, and those that are asked in another way than ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from grla.cost import is_out_of_memory, suited
from grla.errors import ModelError, NotFinite, reason_of


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """How a network is asked that does not take and give RGB in [0, 1], as a tensor.

    `value_range` is the value of white, in and out. With `luma_only` it takes and gives Y of YCbCr as its one channel.
    `output_key` names its image where it answers with a dict, a tuple or a list (then by its number, from 0).
    """

    value_range: float = 1.0
    luma_only: bool = False
    output_key: str | None = None


OURS = Conventions()
INTEGERS = (torch.uint8, torch.int16, torch.int32, torch.int64)
"""The types that hold values to 255."""
ADAPTED = "in evaluate.py and upscale.py"
"""The commands that have the Conventions as options; elsewhere a network is adapted by its factory."""
TAKES = f"it must take any size and 3 channels; one of luma alone is asked with --luma-only {ADAPTED}"


def ask(network: nn.Module, lr: Tensor, upscale: int, conventions: Conventions = OURS) -> Tensor:
    """SR (batch, channels, upscale * h, upscale * w) of lr (batch, channels, h, w), both float32 with white at 1.

    The network is asked in the type of its weights. Raises ModelError when it fails, or answers with something else,
    and NotFinite when there is NaN or infinity in its answer; lack of memory goes through.
    """
    shape = tuple(lr.shape)
    try:
        answer = network(suited(lr * conventions.value_range, network))
    except Exception as error:  # code from outside may raise anything
        if is_out_of_memory(error):
            raise
        raise ModelError(f"the model failed on an input of shape {shape} ({reason_of(error)}); {TAKES}") from error
    if conventions.output_key is not None:
        answer = _chosen(answer, conventions.output_key)
    sr = require_answer(answer, lr, (*shape[:2], upscale * shape[2], upscale * shape[3])).float()
    if not torch.isfinite(sr).all():
        number = int((~torch.isfinite(sr)).sum())
        raise NotFinite(f"the model's answer has {number} values of {sr.numel()} that are NaN or infinite")
    return sr / conventions.value_range


def require_answer(answer: object, lr: Tensor, expected: tuple[int, ...]) -> Tensor:
    """`answer`, a network's to `lr`, if it is a tensor of the shape `expected`; ModelError if not, with the remedy."""
    rule = f"the model must map {tuple(lr.shape)} to {expected}"
    if not isinstance(answer, Tensor):
        remedy = f"wrap it in a factory whose network gives the image alone, or {ADAPTED} name that with --output-key"
        hint = f"; {remedy}" if isinstance(answer, Mapping | Sequence) else ""
        raise ModelError(f"{rule}, got {_in_words(answer)}{hint}")
    if tuple(answer.shape) != expected:
        raise ModelError(f"{rule}, got {tuple(answer.shape)}{_remedy(tuple(answer.shape), tuple(lr.shape), expected)}")
    if not answer.is_floating_point():
        remedy = "wrap it in a factory whose network gives floating point in [0, 1]"
        white = f"; where white is 255, float values suffice with --value-range 255 {ADAPTED}"
        hint = white if answer.dtype in INTEGERS else ""
        raise ModelError(f"{rule} in floating point, got {answer.dtype}; {remedy}{hint}")
    return answer


def _chosen(answer: Any, key: str) -> object:
    """The part of an answer that `key` names."""
    if isinstance(answer, Tensor):
        raise ModelError(f"output_key must be left out where the model's answer is a tensor, got {key!r}")
    try:
        return answer[key] if isinstance(answer, Mapping) else answer[int(key)]
    except (LookupError, TypeError, ValueError) as error:
        raise ModelError(
            f"output_key must name a part of the model's answer, {_in_words(answer)}, got {key!r}"
        ) from error


def _in_words(answer: object) -> str:
    if isinstance(answer, Mapping):
        return f"a dict with the keys {', '.join(map(repr, answer))}"
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        return f"a {type(answer).__name__} of {len(answer)}"
    return "None" if answer is None else f"a {type(answer).__name__}"


def _remedy(got: tuple[int, ...], lr: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if len(got) != 4:
        return ""
    if got[1] == 1 != expected[1]:
        return f"; wrap a network of luma in a factory whose network gives RGB, or set --luma-only {ADAPTED}"
    factor = got[2] // lr[2]
    if got[2:] == (factor * lr[2], factor * lr[3]) and got[2:] != expected[2:]:
        return f"; it enlarges x{factor}: ask for that factor, in a study by model.upscale of its base"
    return "; it must pad sizes that do not suit it, and crop its answer"
