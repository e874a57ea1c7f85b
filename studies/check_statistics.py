"""Check the statistics of the reports on simulated studies of known truth; prints a table.

    python studies/check_statistics.py                    about 20 minutes
    python studies/check_statistics.py --studies 100      a first look, two minutes

For normal differences of several sizes and mixtures of seed effects, image effects and noise: how often a 95 % interval
holds the truth, how often a study of null variants calls one real, how often a difference that should be seen in 80 %
of studies is; and the same false alarms where a study is looked at again and again (`--until-clear`).
"""

from __future__ import annotations

from dataclasses import dataclass

from command import command

from grla.errors import require_at_least
from grla.report import Table, check_all, check_looks


@dataclass(frozen=True)
class Arguments:
    """Check the statistics of the reports on simulated studies of known truth."""

    studies: int = 1000
    """Simulated studies per design; the error of a share p is sqrt(p (1 - p) / studies)."""
    variants: int = 6
    """Variants of each study besides the base."""


def main(arguments: Arguments) -> None:
    """Simulate and print."""
    require_at_least("studies", arguments.studies, 1)
    require_at_least("variants", arguments.variants, 1)
    for table in (check_all, check_looks):
        print(Table(table(arguments.studies, arguments.variants), left=("what varies",)).markdown(), end="\n\n")


if __name__ == "__main__":
    command(main, Arguments)
