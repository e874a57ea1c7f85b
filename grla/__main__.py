"""`grla NAME ...` or `python -m grla NAME ...`: the commands of studies/ by shorter names.

`pip install -e .` brings it. It becomes the command itself: `grla ablation --list` is
`python studies/run_ablation.py --list`.
"""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

from grla.provenance import ROOT


def commands() -> dict[str, Path]:
    """The files of the commands by name, "ablation" for run_ablation.py; none where the package lies without them."""
    files = [path for path in (ROOT / "studies").glob("*.py") if path.stem != "command"]
    runnable = [path for path in files if '__name__ == "__main__"' in path.read_text(encoding="utf-8")]
    return dict(sorted((path.stem.removeprefix("run_").replace("_", "-"), path) for path in runnable))


def main() -> None:
    """Become the command that the first word names, given the words after it; without any, list the commands."""
    known = commands()
    name, *words = sys.argv[1:] or ["--help"]
    if not known:
        sys.exit(f"error: there are no commands in {ROOT / 'studies'}; install the project's folder: pip install -e .")
    if name in ("--help", "-h"):
        print("\n".join(f"grla {name:17s} {_first_line(path)}" for name, path in known.items()))
    elif name in known:
        os.execv(sys.executable, [sys.executable, str(known[name]), *words])
    else:
        sys.exit(f"error: the command must be one of {', '.join(known)}, got {name!r}")


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


if __name__ == "__main__":
    main()
