"""Interim: replaced when commands are merged."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tyro

from grla.errors import InputError, Interrupted


def command(main, arguments, description=None) -> None:  # type: ignore[no-untyped-def]
    """Run a command."""
    try:
        main(tyro.cli(arguments, description=description))
    except InputError as error:
        sys.exit(f"error: {error}")
    except Interrupted:
        print("\nStopped. Nothing is lost: run the same command again to go on.", file=sys.stderr)
        sys.exit(130)
