"""What commands offer that run networks from outside: how to ask one that differs from ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from grla.analysis import Conventions


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How the network is asked; as it stands, with RGB in [0, 1], for an answer of the same kind."""

    value_range: Literal[1, 255] = 1
    """The value of white in what the network takes and gives."""
    luma_only: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The network takes and gives Y of YCbCr alone; colours are enlarged by bicubic interpolation."""
    output_key: str | None = None
    """Which part of the answer is the image: a key of a dict, or a number from 0 of a tuple or list."""

    @property
    def conventions(self) -> Conventions:
        """The same for the library."""
        return Conventions(value_range=self.value_range, luma_only=self.luma_only, output_key=self.output_key)
