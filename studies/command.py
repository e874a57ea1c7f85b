"""What the commands have in common. Import it before anything of ours: it puts the project beside it on the path first.

from command import command
...
if __name__ == "__main__":
    command(main, Arguments, __doc__)
"""

import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from grla.errors import InputError, Interrupted

STUDIES = Path(__file__).resolve().parent
SHIPPED = STUDIES.parent / "results" / "reference" / "checkpoints" / "grlasr_small_x4.pt"
"""The trained network that comes with the project: x4, its record is results/reference/shipped-quick."""
STOPPED = "\nStopped. Nothing is lost: run the same command again to go on."


def command(main: Callable[[Any], object], arguments_type: Any, description: str | None = None) -> None:
    """Parse the command line into `arguments_type`, a dataclass or a union of subcommands, and call `main` with it.

    An InputError is printed in one line, with exit status 1; an Interrupted says how to go on, with status 130.
    `description` is what --help shows, by default the docstring of `arguments_type`.
    """
    arguments = tyro.cli(arguments_type, description=description)
    try:
        main(arguments)
    except InputError as error:
        sys.exit(f"error: {with_flag(str(error), type(arguments))}")
    except Interrupted:
        print(STOPPED, file=sys.stderr)
        sys.exit(130)


def with_flag(message: str, arguments_type: type) -> str:
    """The message with the parameter that it begins with written as on the command line.

    "lr_size must be ..." becomes "--lr-size must be ..." if `arguments_type`, a dataclass, has a field `lr_size`, and
    "LR_SIZE must be ..." if that is positional. A message about a thing of that name, as "study 'x' has no ...", stays.
    """
    found = re.match(r"(\w+)(?= (must|cannot|needs)\b)", message)
    if found is None or found[1] not in {field.name for field in fields(arguments_type)}:
        return message
    name = found[1]
    hint = get_type_hints(arguments_type, include_extras=True)[name]
    positional = tyro.conf.Positional in getattr(hint, "__metadata__", ())
    return (name.upper() if positional else f"--{name.replace('_', '-')}") + message[len(name) :]
