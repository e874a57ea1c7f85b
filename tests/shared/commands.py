"""Commands as a user calls them, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.shared import ROOT


def call(script: str, *arguments: object, folder: Path = ROOT, code: int = 0) -> str:
    """Run a script of studies/ in `folder`, which must exit with `code`, and return what it printed, both streams."""
    environment = {**os.environ, "PYTHONPATH": "", "COLUMNS": "120"}
    command = [sys.executable, str(ROOT / "studies" / script), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, check=False, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
