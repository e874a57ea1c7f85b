"""What tests of several packages use: a tiny study and search, commands to start and disturb, servers, a browser."""

from collections.abc import Sequence
from pathlib import Path

from grla.study import Factor

ROOT = Path(__file__).parents[2]
ABLATIONS = Path(__file__).parent / "ablations"
SEARCHES = Path(__file__).parent / "searches"


def factor(name: str, labels: Sequence[str], base: str) -> Factor:
    """A factor of a made-up study, whose levels change nothing."""
    return Factor(name, {label: {} for label in labels}, base)
