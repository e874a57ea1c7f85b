"""What the commands have in common. Import it before anything of ours: it puts the project beside it on the path first.

from command import command
...
if __name__ == "__main__":
    command(main, Arguments, __doc__)
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from grla.errors import InputError, Interrupted

STUDIES = Path(__file__).resolve().parent
SHIPPED = STUDIES.parent / "results" / "reference" / "checkpoints" / "grlasr_small_x4.pt"
"""The trained network that comes with the project: x4, its record is results/reference/shipped-quick."""
STOPPED = 130
NAMED = re.compile(r"`(\w+)`|(?:^|(?<=: ))(?:\w+\.)?(\w+)(?= (?:must|cannot|needs|does|goes)\b|:)", re.MULTILINE)
"""Where a message names a parameter: in backticks, or, bare or as a field of a spec, before what holds of it."""


def command(
    main: Callable[[Any], object],
    arguments_type: Any,
    description: str | None = None,
    words: Sequence[str] | None = None,
    **flags: str,
) -> None:
    """Parse the command line into `arguments_type`, a dataclass or a union of subcommands, and call `main` with it.

    An InputError is printed in one line, with exit status 1; an Interrupted or a KeyboardInterrupt says how to
    go on, with status 130.
    `description` is what --help shows, by default the docstring of `arguments_type`; `words` is the command line, by
    default the process'. `flags` are the fields behind parameters that the library calls otherwise.
    """
    with _readers_may_leave():
        arguments = tyro.cli(arguments_type, description=description, args=words)
        try:
            main(arguments)
        except InputError as error:
            sys.exit(f"error: {with_flags(str(error), type(arguments), **flags)}")
        except Interrupted:
            sys.exit(_stopped("Nothing is lost"))
        except KeyboardInterrupt:
            sys.exit(_stopped("What was finished is kept"))


def with_flags(message: str, arguments_type: type, **flags: str) -> str:
    """The message with its parameters written as on the command line.

    "lr_size must be ..." becomes "--lr-size must be ..." if `arguments_type`, a dataclass, has a field `lr_size` (or if
    `flags` names the field behind it), and "LR_SIZE must be ..." if that is positional; so do "model.lr_size must be
    ..." and `lr_size` in backticks. A message about a thing of that name, as "study 'x' has no ...", stays.
    """
    hints = get_type_hints(arguments_type, include_extras=True)

    def written(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        field = flags.get(name, name)
        if field not in hints:
            return found[0]
        positional = tyro.conf.Positional in getattr(hints[field], "__metadata__", ())
        return field.upper() if positional else f"--{field.replace('_', '-')}"

    return NAMED.sub(written, message)


def _stopped(kept: str) -> int:
    """Say how to go on, and give the exit status."""
    print(f"\nStopped. {kept}: run the same command again to go on.", file=sys.stderr)
    return STOPPED


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """End quietly, with status 1, when nobody reads on what is printed, as in `... | head`."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        sys.exit(1)
