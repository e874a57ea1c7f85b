"""Commands as a user calls them, in this process or in one of their own."""

from __future__ import annotations

import io
import os
import runpy
import subprocess
import sys
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from tests.shared import ROOT

SLOW = """
import sys, time, torch
sys.path.insert(0, {root!r})
from pathlib import Path
from grla.engine import RunSettings
from grla.engine.processes import progress
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
    """Wait until code started by `start_slowly` has trained so many steps, past whatever else it prints."""
    assert process.stdout is not None
    for _ in range(number):
        assert "step\n" in iter(process.stdout.readline, ""), "the process ended before"


def call(script: str, *arguments: object, folder: Path = ROOT, code: int = 0) -> str:
    """Run a script of studies/ in `folder`, which must exit with `code`, and return what it printed, both streams.

    It runs in this process, which has imported everything already; see `call_process` for one of its own.
    """
    words, output, errors = [script, *map(str, arguments)], io.StringIO(), io.StringIO()
    found, imported = 0, set(sys.modules)
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "argv", words))
        stack.enter_context(patch.dict(os.environ, COLUMNS="120"))
        stack.enter_context(chdir(folder))
        stack.enter_context(redirect_stdout(output))
        stack.enter_context(redirect_stderr(errors))
        try:
            runpy.run_path(str(ROOT / "studies" / script), run_name="__main__")
        except SystemExit as end:
            found = end.code if isinstance(end.code, int) else int(end.code is not None)
            errors.write(end.code if isinstance(end.code, str) else "")
    for name in set(sys.modules) - imported:  # an outside model of one folder must not stand in for another's
        if folder != ROOT and str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
    printed = output.getvalue() + errors.getvalue()
    assert found == code, printed
    return printed


def call_process(script: str, *arguments: object, folder: Path = ROOT, code: int = 0, project: Path = ROOT) -> str:
    """As `call`, in a process of its own, so that workers' output is seen as well; of the project in `project`."""
    environment = {**os.environ, "PYTHONPATH": "", "COLUMNS": "120"}
    command = [sys.executable, str(project / "studies" / script), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, check=False, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
