"""Commands as a user calls them, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.shared import ROOT

SLOW = """
import sys, time, torch
sys.path.insert(0, {root!r})
from pathlib import Path
from grla.engine import RunSettings, progress
original = progress.CellProgress.stepped
def slow(self, *arguments):
    print("step", flush=True)
    time.sleep(0.02)
    original(self, *arguments)
progress.CellProgress.stepped = slow
settings = RunSettings(Path({out!r}), torch.device("cpu"))
data = {{"data.train": {crops!r} + "/train", "data.test": ({crops!r} + "/test",)}}
"""


def start_slowly(out: Path, crops: Path, work: str) -> subprocess.Popen[str]:
    """Start Python code that finds `settings` (for a run in `out`) and `data`, and says "step" at each slowed step."""
    code = SLOW.format(root=str(ROOT), out=str(out), crops=str(crops)) + work
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], text=True, **pipes)


def wait_for_steps(process: subprocess.Popen[str], number: int) -> None:
    """Wait until code started by `start_slowly` has trained so many steps."""
    for _ in range(number):
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "step"


def call(script: str, *arguments: object, folder: Path = ROOT, code: int = 0, project: Path = ROOT) -> str:
    """Run a script of studies/ in `folder`, which must exit with `code`, and return what it printed, both streams."""
    environment = {**os.environ, "PYTHONPATH": "", "COLUMNS": "120"}
    command = [sys.executable, str(project / "studies" / script), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, check=False, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
