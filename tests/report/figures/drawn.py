"""What a figure shows, read from its artists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image

from grla.report.figures.canvas import save


def texts(labels: Iterable[Text]) -> list[str]:
    """The words of labels, titles or the like."""
    return [label.get_text() for label in labels]


def legend(figure: Figure) -> list[str]:
    """The words of a figure's legend."""
    return texts(figure.legends[0].get_texts())


def points(lines: Iterable[Line2D]) -> list[list[float]]:
    """All points [x, y] of some lines."""
    return [[float(x), float(y)] for line in lines for x, y in np.asarray(line.get_xydata())]


def marked(panel: Axes, marker: str) -> list[Line2D]:
    """The lines of a panel that have this marker."""
    return [line for line in panel.lines if line.get_marker() == marker]


def upright(panel: Axes) -> list[float]:
    """Where the vertical lines across a panel stand."""
    return [float(np.asarray(line.get_xdata())[0]) for line in panel.lines if list(line.get_ydata()) == [0, 1]]


def spans(panel: Axes) -> list[list[float]]:
    """[low, high, y] of the horizontal lines between two points of a panel."""
    lines = [np.asarray(line.get_xydata()) for line in panel.lines if line.get_marker() == "None"]
    return [[a[0], b[0], a[1]] for a, b in (line for line in lines if len(line) == 2) if a[1] == b[1]]


def check_saved(figure: Figure, folder: Path) -> None:
    """Both files are written, and nothing is cut off: the picture's border is white."""
    written = save(figure, folder / "figure")
    assert [path.name for path in written] == ["figure.png", "figure.svg"]
    with Image.open(written[0]) as picture:
        gray = np.asarray(picture.convert("L"))
    assert min(gray.shape) > 250
    assert gray.min() < 50
    assert (np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]]) == 255).all()
