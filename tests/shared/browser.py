"""A real browser for tests of pages: Debian's chromium, driven by playwright; and servers for it to look at."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """The path of an installed chromium; without one the test is skipped, except in CI, where it fails."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    message = f"no browser: none of {', '.join(NAMES)} is on the path; on Debian: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def open_page(width: int = 1400, height: int = 900) -> Iterator[Page]:
    """A fresh page of a headless browser that reaches this machine only."""
    path = find_chromium()
    with sync_playwright() as playwright:
        # Containers run tests as root and have little shared memory; the sandbox and /dev/shm would fail there.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()


@contextmanager
def server(command: Sequence[object], port: int, log: Path) -> Iterator[str]:
    """Start a web server on a port of this machine and wait until it answers; gives its address."""
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT)
        try:
            for _ in range(600):
                if process.poll() is not None or _answers(address):
                    break
                time.sleep(0.1)
            assert process.poll() is None, log.read_text(errors="replace")
            yield address
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5):
            return True
    except (URLError, ConnectionError, TimeoutError):
        return False
