"""Write the ledger of the paper's claims from recorded results.

    python studies/claims.py                            reads results/STUDY/PROFILE and results/benchmark
    python studies/claims.py --out results/reference    reads the folders of studies and the benchmark there

It writes claims.md into that folder, and settled.json: what judges the claims that need no training.

Each verdict is computed from records by the rule beside it. Run more studies, or larger ones, and run this again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from command import command

from grla.analysis import settled_record
from grla.engine import require_new_layout
from grla.files import write_text
from grla.report import LEDGER, SETTLED, write_ledger


@dataclass(frozen=True)
class Arguments:
    """Write the ledger of the paper's claims from recorded results."""

    out: Path = Path("results")
    """Folder that holds the studies' folders and benchmark records; claims.md and settled.json are written there."""


def main(arguments: Arguments) -> None:
    """Compute what needs no training, judge all claims, print the ledger."""
    require_new_layout(arguments.out)
    write_text(arguments.out / SETTLED, json.dumps(settled_record(), indent=2) + "\n")
    write_ledger(arguments.out / LEDGER)
    print((arguments.out / LEDGER).read_text(encoding="utf-8"))


if __name__ == "__main__":
    command(main, Arguments)
