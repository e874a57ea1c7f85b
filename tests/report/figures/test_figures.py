from __future__ import annotations

import dataclasses
import itertools
import warnings
import xml.etree.ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from grla.errors import InputError
from grla.report.figures.canvas import panels, plain_ticks, point_style, save, spread
from grla.report.figures.costs import cost_data, cost_figure, curve_data, curves_figure, pareto_front
from grla.report.figures.crops import CropRow, Tile, crops_figure, error_map, sharpest_crop
from grla.report.figures.levels import gain_figure, level_data, levels_figure, seed_data
from grla.study import Layout
from tests.shared import factor

FIGURES: dict[str, Callable[[Any], Figure]] = {
    "levels": lambda study: levels_figure(study.results),
    "gain": lambda study: gain_figure(study.results),
    "cost": lambda study: cost_figure(study.results),
    "curves": lambda study: curves_figure(study.layout, study.curves),
}


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """A layout that collapses or a glyph that lacks is a warning of Matplotlib's: an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def test_level_data(made_up: Any) -> None:
    data = level_data(made_up.results).set_index(["group", "label"])
    assert list(data.loc["kernel"].index) == ["gaussian_rbf", "relu", "softmax"]
    base, half, failed = data.loc[("depth", "4")], data.loc[("kernel", "softmax")], data.loc[("depth", "2")]
    assert (base["verdict"], base["difference"], base["num_seeds"]) == ("base", 0.0, 2)
    assert half["num_seeds"] == 1
    assert half["difference"] == pytest.approx(-0.15, abs=0.005)  # paired: the lucky seed 1 does not count
    assert half["low"] < half["difference"] < half["high"]
    assert (failed["verdict"], failed["failures"]) == ("not compared", "2 of 2 diverged at steps 220, 220")
    assert np.isnan(failed["mean"])


def test_seed_data_leaves_bicubic_out(made_up: Any) -> None:
    data = seed_data(made_up.images)
    assert len(data) == 7
    assert "bicubic" not in set(data["variant"])


def test_cost_data_has_the_finished_variants_in_order(made_up: Any) -> None:
    data = cost_data(made_up.results)
    assert list(data["variant"]) == ["base", "kernel=relu", "kernel=softmax", "depth=1"]
    assert list(data.loc[0, ["macs_g", "latency_ms"]]) == [3.0, 12.34]


def test_curve_data_is_mean_and_band_over_seeds(made_up: Any) -> None:
    data = curve_data(made_up.layout, made_up.curves)
    line = data[(data["group"] == "kernel") & (data["label"] == "relu")]
    assert list(line["step"]) == [100, 200, 300, 400]
    assert list(line["mean"]) == pytest.approx([22.5, 24.5, 26.5, 28.5])
    assert list(line["high"] - line["low"]) == pytest.approx([1.0] * 4)
    diverged = data[(data["group"] == "depth") & (data["label"] == "2")]
    assert list(diverged["step"]) == [100, 200]


def test_curves_of_unequal_steps_are_joined_by_validation(made_up: Any) -> None:
    curves = made_up.curves.copy()
    curves["step"] += 10 * curves["seed"]
    data = curve_data(made_up.layout, curves)
    line = data[(data["group"] == "kernel") & (data["label"] == "relu")]
    assert list(line["step"]) == [105, 205, 305, 405]


def test_many_points_all_look_different() -> None:
    assert len({point_style(index) for index in range(110)}) == 110


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_saved_whole_twice_alike(made_up: Any, tmp_path: Path, name: str) -> None:
    first, second = save(FIGURES[name](made_up), tmp_path / "a.b"), save(FIGURES[name](made_up), tmp_path / "again")
    assert [path.name for path in first] == ["a.b.png", "a.b.svg"]
    with Image.open(first[0]) as picture:
        assert min(picture.size) > 300
        assert picture.convert("L").getextrema()[0] < 50  # something dark was drawn
    assert xml.etree.ElementTree.parse(first[1]).getroot().tag.endswith("svg")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert len(list(tmp_path.iterdir())) == 4  # no temporary file is left


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("frame", ["without bicubic", "nothing finished", "grid", "one seed", "long names"])
def test_unusual_studies_are_drawn(made_up: Any, name: str, frame: str) -> None:
    FIGURES[name](unusual(made_up, frame)).draw_without_rendering()


@pytest.mark.parametrize("name", FIGURES)
def test_panels_and_many_levels_are_drawn(
    panels: Any, layout: Layout, invent: Callable[[Layout], Any], name: str
) -> None:
    many = (factor("kernel", tuple(f"a_kernel_{index}" for index in range(15)), "a_kernel_3"),)
    for study in (panels, invent(dataclasses.replace(layout, factors=many))):
        FIGURES[name](study).draw_without_rendering()


def test_panels_of_the_levels_have_their_own_bicubic_base_and_axis(panels: Any) -> None:
    axes = levels_figure(panels.results).axes
    lines = [[float(np.asarray(line.get_xdata())[0]) for line in panel.lines[:2]] for panel in axes]
    assert [bicubic for bicubic, _ in lines] == [35.0, 35.0, 31.5, 31.5, 29.0, 29.0]
    assert [base for _, base in lines] == pytest.approx([35.41, 35.41, np.nan, np.nan, 29.41, 29.41], 1e-3, nan_ok=True)
    assert axes[0].get_xlim() == axes[1].get_xlim() != axes[2].get_xlim()
    gains = gain_figure(panels.results).axes
    assert len({panel.get_xlim() for panel in gains}) == 1
    assert len(gains[2].lines) == 1  # the base diverged: no mark, only the line at 0


def test_costs_of_panels_are_apart_and_say_what_they_refer_to(panels: Any) -> None:
    data = cost_data(panels.results).set_index("variant")
    assert data.loc["upscale=x2, model=EDSR-lite", ["panel", "name"]].tolist() == ["upscale x2", "model=EDSR-lite"]
    assert data.loc["upscale=x2", "name"] == data.loc["base", "name"] == "base"
    axes = cost_figure(panels.results).axes
    titles = [panel.get_title() for panel in axes]
    assert titles == [name for name in ("upscale x2", "upscale x3", "upscale x4") for _ in range(3)]
    assert axes[0].get_xlabel() == "G MACs for an output of 1280x720"
    assert axes[7].get_xlabel() == "latency (ms), LR input 64x48"


def unusual(made_up: Any, frame: str) -> Any:
    cells, images, curves = made_up[1:]
    if frame == "without bicubic":
        return made_up._replace(images=images[images["variant"] != "bicubic"])
    if frame == "nothing finished":
        only = images[images["variant"] == "bicubic"]
        return made_up._replace(cells=cells[cells["outcome"] != "ok"], images=only, curves=curves.iloc[:0])
    if frame == "grid":
        return made_up._replace(layout=dataclasses.replace(made_up.layout, design="grid"))
    if frame == "one seed":
        return made_up._replace(cells=cells[cells["seed"] == 0], images=images[images["seed"] != 1])
    long = {"kernel=relu": f"kernel=relu({', '.join(f'option_{i}=value' for i in range(5))})"}
    factors = (dataclasses.replace(made_up.layout.factors[0], levels=("gaussian_rbf", long["kernel=relu"][7:])),)
    renamed = [rows.replace({"variant": long}) for rows in (cells, images, curves)]
    return type(made_up)(dataclasses.replace(made_up.layout, factors=factors), *renamed)


def test_failed_save_leaves_the_old_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(Figure(), tmp_path / "figure")
    before = (tmp_path / "figure.png").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(InputError, match=r"figure\.png: No space left"):
        save(Figure(), tmp_path / "figure")
    assert (tmp_path / "figure.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file/figure\.png"):
        save(Figure(), tmp_path / "file" / "figure")


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0, 0.2))
def test_spread_keeps_order_distance_and_bounds(wanted: list[float], gap: float) -> None:
    positions = spread(wanted, gap)
    ordered = positions[np.argsort(wanted, kind="stable")]
    assert np.all(np.diff(ordered) >= min(gap, 1 / max(len(wanted) - 1, 1)) - 1e-9)
    assert np.all((positions >= -1e-9) & (positions <= 1 + 1e-9))


def test_spread_leaves_what_is_far_apart() -> None:
    assert spread([0.9, 0.1, 0.5], 0.1) == pytest.approx([0.9, 0.1, 0.5])
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])


def test_sharpest_crop_finds_the_checkerboard() -> None:
    hr = np.full((40, 60, 3), 128, np.uint8)
    hr[20:28, 33:41] = (np.indices((8, 8)).sum(axis=0) % 2 * 255)[..., None]
    top, left = sharpest_crop(hr, 12)
    assert 16 <= top <= 20
    assert 29 <= left <= 33
    assert sharpest_crop(hr[..., 0], 12) == (top, left)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_sharpest_crop_equals_trying_every_crop(seed: int, size: int) -> None:
    hr = np.random.default_rng(seed).integers(0, 256, (9, 11), dtype=np.uint8)
    pixels = hr.astype(float)
    energy = np.diff(pixels, axis=0, prepend=pixels[:1]) ** 2 + np.diff(pixels, axis=1, prepend=pixels[:, :1]) ** 2
    sums = {
        (top, left): energy[top : top + size, left : left + size].sum()
        for top in range(10 - size)
        for left in range(12 - size)
    }
    assert sums[sharpest_crop(hr, size)] == pytest.approx(max(sums.values()))


@pytest.mark.parametrize("size", [0, 10, -1])
def test_sharpest_crop_that_does_not_fit(size: int) -> None:
    with pytest.raises(InputError, match="between 1 and 9"):
        sharpest_crop(np.zeros((9, 11), np.uint8), size)


def test_flat_image_takes_the_first_crop() -> None:
    assert sharpest_crop(np.zeros((9, 11), np.uint8), 4) == (0, 0)


def test_crops_of_colour_gray_and_unequal_rows(tmp_path: Path) -> None:
    colour, gray = np.zeros((16, 16, 3), np.uint8), np.full((16, 16), 255, np.uint8)
    rows = [
        CropRow("baby", (Tile("HR", colour), Tile("bicubic", colour, 28.5), Tile("gaussian_rbf", colour, 28.7))),
        CropRow("camera", (Tile("HR", gray), Tile("bicubic", gray, 25.0))),
    ]
    figure = crops_figure(rows)
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "28.50 dB", "28.70 dB", "", "25.00 dB", ""]
    save(figure, tmp_path / "crops")


def test_many_crops_go_on_in_further_lines() -> None:
    tiles = tuple(Tile(str(index), np.zeros((8, 8), np.uint8), index) for index in range(17))
    axes = crops_figure([CropRow("baby", tiles), CropRow("bird", tiles[:3])]).axes
    assert len(axes) == 4 * 6
    assert [panel.get_title() for panel in axes[:18]] == [*map(str, range(17)), ""]
    assert [panel.get_ylabel() for panel in axes[::6]] == ["baby", "", "", "bird"]


@pytest.mark.parametrize("rows", [[], [CropRow("baby", ())]])
def test_no_crops_is_an_input_error(rows: list[CropRow]) -> None:
    with pytest.raises(InputError, match="at least one"):
        crops_figure(rows)


@pytest.mark.parametrize("limits", [(1.2, 1.9), (3, 40), (1, 300), (8, 25_000)])
def test_labels_of_a_logarithmic_axis_do_not_touch(limits: tuple[float, float]) -> None:
    figure, (panel, _) = panels([1.0], 2, (8, 4))
    panel.set(xscale="log", xlim=limits)
    plain_ticks(panel)
    figure.draw_without_rendering()
    shown = [label for label in panel.get_xticklabels() if limits[0] <= label.get_position()[0] <= limits[1]]
    boxes = [label.get_window_extent() for label in shown]
    assert len(boxes) >= 2
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_pareto_front_by_hand() -> None:
    """4 is beaten by 1 (cheaper, as good), 2 by 3 (as cheap, better); what has no cost is not on it."""
    cost, quality = [1.0, 2.0, 2.0, 3.0, 5.0, np.nan], [30.0, 30.5, 31.0, 30.0, 32.0, 40.0]
    assert pareto_front(cost, quality).tolist() == [True, False, True, False, True, False]
    assert pareto_front([1.0, 1.0], [2.0, 2.0]).tolist() == [True, True]


def test_cost_data_has_intervals_from_the_mean_of_the_base(made_up: Any) -> None:
    data = cost_data(made_up.results).set_index("variant")
    levels = level_data(made_up.results).set_index("variant")
    low, high = data.loc["depth=1", "low"], data.loc["depth=1", "high"]
    assert [low, high] == pytest.approx(levels.loc["depth=1", ["low", "high"]] + data.loc["base", "psnr_y"])
    assert low < data.loc["depth=1", "psnr_y"] < high < data.loc["base", "psnr_y"]
    assert data.loc["base", ["low", "high"]].isna().all()
    assert data["on_front_macs_g"].sum() == 1  # all cost the same: only the best is on the front


def test_curves_have_a_panel_by_step_and_one_by_time(made_up: Any) -> None:
    data = curve_data(made_up.layout, made_up.curves)
    assert data["seconds"].tolist() == pytest.approx((data["step"] / 10).tolist())
    axes = curves_figure(made_up.layout, made_up.curves).axes
    assert [panel.get_xlabel() for panel in axes] == ["training step", "training time (s)"] * 2
    assert axes[0].get_ylim() == axes[1].get_ylim()


def test_error_maps_by_hand(tmp_path: Path) -> None:
    hr = np.array([[[10, 20, 30], [0, 0, 255]]], np.uint8)
    sr = np.array([[[20, 20, 0], [255, 0, 0]]], np.uint8)
    assert error_map(hr, sr).tolist() == [[pytest.approx(40 / 3), 170.0]]
    assert error_map(hr[..., 0], sr[..., 0]).tolist() == [[10.0, 255.0]]
    tiles = (Tile("whole image", hr, box=(0, 0, 1)), Tile("HR", hr), Tile("bicubic", sr, 20.0, error_map(hr, sr)))
    figure = crops_figure([CropRow("baby", tiles)])
    assert len(figure.axes) == 2 * 3 + 1  # pictures, errors, the scale
    assert [len(panel.images) for panel in figure.axes[:6]] == [1, 1, 1, 0, 0, 1]
    assert len(figure.axes[0].patches) == 2  # the box, light around dark
    save(figure, tmp_path / "crops")
