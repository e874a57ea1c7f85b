"""The figures and the summary of the studies that need no training, on made-up frames."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from grla.errors import InputError
from grla.report.figures.attribution import AttributionTile, attribution_figure
from grla.report.figures.canvas import save
from grla.report.figures.fidelity import distance_figure, margin_figure, profile_figure, taylor_figure
from grla.report.kinds.fidelity_summary import fidelity_summary, largest_std

KERNELS = ["softmax", "gaussian_rbf", "mala", "a_kernel_with_a_long_name(option=1)"]
NORMS = ["both", "query", "none"]
MEASURES = ["output_error", "matrix_error", "kl", "rank_correlation", "effective_rank", "entropy"]


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """All frames of a fidelity run, of random tokens and one layer."""
    angles = np.arange(0, 181, 30)
    cosine = np.cos(np.deg2rad(angles))
    profiles = [
        pd.DataFrame({"kernel": k, "norm": n, "angle": angles, "cosine": cosine, "value": (1 + cosine) / 2 - i / 9})
        for (i, k), n in itertools.product(enumerate(KERNELS), (1.0, 7.416))
    ]
    sources = ["random", "layer 1"]
    errors = pd.DataFrame(itertools.product(sources, NORMS), columns=["source", "qk_norm"])
    names = ["x_std", "x_max", "share_within", "error_mean", "error_std", "error_max", "error2_mean", "margin"]
    errors[names] = 0.01
    edges = np.linspace(-1, 1, 5)
    logs = 10 ** np.linspace(-9, 0, 5)
    shares = [0.1, 0.4, 0.3, 0.2]
    histogram = [
        pd.DataFrame({"source": s, "qk_norm": n, "quantity": q, "left": e[:-1], "right": e[1:], "share": shares})
        for s, n, (q, e) in itertools.product(sources, NORMS, (("x", edges), ("error", logs), ("error2", logs)))
    ]
    about = itertools.product(sources, KERNELS, ["same temperature", "softmax attention"])
    distances = pd.DataFrame(about, columns=["source", "kernel", "reference"])
    for name in [*MEASURES, *(f"uniform_{m}" for m in MEASURES[:3]), *(f"softmax_{m}" for m in MEASURES[4:])]:
        distances[name] = np.linspace(0.1, 3, len(distances))
    distances.loc[distances["kernel"] == "softmax", MEASURES[:3]] = 0.0
    distances.loc[distances["kernel"] == "mala", ["kl", "entropy"]] = math.nan
    grid = itertools.product([0.0, 0.5], [0.5, 8.0], NORMS, [1 / 16, 1, 2], ["float32", "bfloat16"])
    margins = pd.DataFrame(grid, columns=["alignment", "length", "qk_norm", "gamma", "dtype"])
    margins["exact"] = 1 - margins["gamma"] * margins["length"]
    for name in ("margin", "kernel_margin", "bound"):
        margins[name] = margins["exact"] + 0.001
    return {
        "profiles": pd.concat(profiles),
        "taylor_errors": errors,
        "taylor_histogram": pd.concat(histogram),
        "distances": distances,
        "margins": margins,
    }


def check_saved(figure: Figure, folder: Path) -> None:
    """Both files are written, and nothing is cut: the picture's border is white."""
    written = save(figure, folder / "figure")
    assert [path.suffix for path in written] == [".png", ".svg"]
    with Image.open(written[0]) as picture:
        gray = np.asarray(picture.convert("L"))
    assert min(gray.shape) > 300
    assert gray.min() < 50
    assert (np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]]) == 255).all()


def test_profile_figure(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    figure = profile_figure(tables["profiles"])
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == KERNELS
    check_saved(figure, tmp_path)


def test_taylor_figure(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    figure = taylor_figure(tables["taylor_histogram"])
    assert [panel.get_xscale() for panel in figure.axes] == ["linear"] * 3 + ["log"] * 3
    check_saved(figure, tmp_path)


def test_distance_figure(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    figure = distance_figure(tables["distances"], "layer 1")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == KERNELS
    kernel = figure.axes[0].lines[0].get_xdata()
    assert min(kernel) == 1e-9  # softmax's own distance, 0, is drawn at the left end
    check_saved(figure, tmp_path)


def test_margin_figure(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    figure = margin_figure(tables["margins"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["1/16", "1", "2"]
    assert "-15.00" not in {text.get_text() for text in figure.axes[0].texts}
    assert "-15" in {text.get_text() for text in figure.axes[0].texts}
    check_saved(figure, tmp_path)


@pytest.mark.parametrize("num_tiles", [1, 5])
def test_attribution_figure(tmp_path: Path, num_tiles: int) -> None:
    lr = np.full((20, 30, 3), 200, dtype=np.uint8)
    strengths = np.random.default_rng(0).random((20, 30))
    tiles = [AttributionTile(f"gaussian_rbf\n{i:016x}", strengths * (i > 0), 10.0 * i) for i in range(num_tiles)]
    figure = attribution_figure(lr, (4, 6, 4), tiles)
    assert "DI 0.00" in figure.axes[1].get_title()
    written = save(figure, tmp_path / "figure")
    with Image.open(written[0]) as picture:
        assert min(picture.size) > 250


def test_attribution_figure_needs_a_map() -> None:
    with pytest.raises(InputError, match="at least one map"):
        attribution_figure(np.zeros((4, 4, 3), dtype=np.uint8), (0, 0, 1), [])


def test_summary(tables: dict[str, pd.DataFrame]) -> None:
    text = fidelity_summary(tables, "About these tokens.")
    assert "About these tokens." in text
    assert "no error exceeds 0.0095" in text
    assert "at most 0.0047" in text
    assert "### Random tokens, against same temperature" in text
    assert "### Layers, output_error against softmax attention" in text
    assert "nan" not in text
    assert "| both      |         12 |               4 |" in text


def test_largest_std_by_hand() -> None:
    """Half of the values at each end have the largest deviation of all: half the range."""
    assert largest_std(0.5, 1.0) == 0.5
    assert largest_std(1.0, 1.0) == 0
