"""Widths at equal cost: each variant of a study has the `model.dim` at which it costs what the base costs."""

from __future__ import annotations

from dataclasses import dataclass

DIM = "model.dim"
NOT_SIZED = "(not sized)"
SIZE_TOLERANCE = 0.02
"""The share of the base's cost by which one at equal cost may miss it; beyond, tables call it unmatched."""


@dataclass(frozen=True)
class Size:
    """The width at which a variant comes nearest the base's cost, and what it costs then, over the base's."""

    dim: int
    ratio: float

    @property
    def words(self) -> str:
        """For tables: "dim 33 (+0.6%)"."""
        unmatched = ", unmatched" if abs(self.ratio - 1) > SIZE_TOLERANCE else ""
        return f"dim {self.dim} ({self.ratio - 1:+.1%}{unmatched})"
