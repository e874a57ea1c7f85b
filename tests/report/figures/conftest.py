from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """A layout that collapses or a missing glyph is a warning of Matplotlib's: an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield
