"""The CSV of the paper's numbers against values typed here by hand, and how it is quoted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.errors import InputError
from grla.report.published import COLUMNS, PUBLISHED, load_published, published_section, published_table

Summary = Callable[[Any], str]
NUMBERS = [
    ("kernels", "Table 1", "efficient", 4, "psnr_y", "Set5", 32.58),
    ("kernels", "Table 1", "taylor", 4, "ssim_y", "Urban100", 0.8079),
    ("kernels", "Table 1", "relu", 4, "psnr_y", "Manga109", 31.32),
    ("kernels", "Table 1", "mala", 4, "ssim_y", "Set5", 0.9000),
    ("kernels", "Table 1", "gaussian_rbf", 4, "psnr_y", "Urban100", 26.94),
    ("kernels", "Table 1", "mala", 4, "params_k", "", 922),
    ("key_term", "Table 2", "with phi", 4, "ssim_y", "BSD100", 0.7437),
    ("state_of_the_art", "Table 3", "GRLA", 2, "psnr_y", "Manga109", 39.48),
    ("state_of_the_art", "Table 3", "GRLA", 3, "ssim_y", "Set14", 0.8483),
    ("state_of_the_art", "Table 3", "GRLA", 4, "psnr_y", "Set14", 28.89),
    ("state_of_the_art", "Table 3", "GRLA", 3, "hook_flops_g", "", 94.9),
    ("state_of_the_art", "Table 10", "MambaIRv2-light", 4, "latency_ms", "Urban100", 388.0),
    ("state_of_the_art", "Table 10", "GRLA", 4, "latency_ms", "Urban100", 60.9),
    ("gamma", "Table 4", "1/4", 4, "ssim_y", "Urban100", 0.8078),
    ("gamma", "Table 4", "1/16", 4, "psnr_y", "Manga109", 31.37),
    ("taylor_order", "Table 5", "2", 4, "training_memory_mb", "", 13266),
    ("taylor_order", "Table 5", "2", 4, "psnr_y", "Set14", 28.87),
    ("tla", "Table 6", "w8 off", 4, "psnr_y", "Manga109", 30.94),
    ("tla", "Table 6", "w16 off", 4, "ssim_y", "BSD100", 0.7406),
    ("channels", "Figure 7", "50", 4, "psnr_y", "Manga109", 31.36),
    ("channels", "Figure 7", "65", 4, "psnr_y", "Set5", 32.61),
    ("depth", "Figure 8", "7", 4, "psnr_y", "Urban100", 26.97),
    ("depth", "Figure 8", "4", 4, "psnr_y", "BSD100", 27.72),
    ("aggregation", "Table 7", "off", 4, "ssim_y", "Set5", 0.8996),
    ("aggregation", "Table 7", "off", 4, "params_k", "", 824),
    ("full_grbfla", "Table 8", "full GRBFLA", 2, "psnr_y", "BSD100", 32.27),
    ("full_grbfla", "Table 8", "full GRBFLA", 2, "hook_flops_g", "", 199.2),
    ("large", "Table 9", "GRLA-L", 4, "ssim_y", "Urban100", 0.8175),
    ("window_size", "Table 11", "window 14", 4, "training_memory_mb", "", 15358),
    ("window_size", "Table 11", "window 10", 4, "seconds_per_1000_iterations", "", 385),
    ("window_size", "Table 11", "window 12", 4, "psnr_y", "Urban100", 26.90),
    ("window_size", "Table 11", "GRLA", 4, "training_memory_mb", "", 12144),
]
# Study: rows with a number, without one.
COUNTS = {
    "kernels": (34, 0), "key_term": (6, 1), "state_of_the_art": (40, 0), "full": (12, 0), "gamma": (16, 2),
    "taylor_order": (14, 0), "tla": (24, 0), "channels": (10, 0), "depth": (8, 0), "aggregation": (8, 4),
    "full_grbfla": (24, 0), "large": (23, 0), "window_size": (25, 0),
}  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: "-".join(map(str, number)))
def test_numbers_typed_by_hand(number: tuple[Any, ...]) -> None:
    rows = load_published(number[0])
    same = (rows[COLUMNS[:6]] == list(number[:6])).all(axis=1)
    assert rows.loc[same, "value"].tolist() == [number[6]]


def test_nothing_is_missing_twice_or_out_of_range() -> None:
    everything = pd.concat([load_published(study) for study in COUNTS])
    assert len(everything) == len(pd.read_csv(PUBLISHED))
    assert not everything.duplicated(["study", "level", "upscale", "metric", "test_set"]).any()
    for study, (valued, empty) in COUNTS.items():
        values = everything.loc[everything["study"] == study, "value"]
        assert (values.notna().sum(), values.isna().sum()) == (valued, empty), study
    assert (everything.loc[everything["value"].isna(), "note"] != "").all()
    metrics = {name: rows["value"].dropna() for name, rows in everything.groupby("metric")}
    assert metrics["psnr_y"].between(26, 40).all()
    assert metrics["ssim_y"].between(0.7, 0.99).all()


def test_figures_are_marked_as_read_off_and_tables_are_not() -> None:
    everything = pd.concat([load_published(study) for study in COUNTS])
    rounded = everything["table"].str.startswith("Figure") | (everything["note"].str.contains("7.6 M"))
    assert (everything.loc[rounded, "approximate"] == "about").all()
    assert (everything.loc[~rounded, "approximate"] == "").all()


def test_the_same_network_has_the_same_numbers_in_all_studies() -> None:
    """GRLA x4 is quoted by several tables of the paper; they agree, so a slip of ours would show."""
    homes = {
        "kernels": "gaussian_rbf", "key_term": "with phi", "state_of_the_art": "GRLA", "full": "GRLA",
        "gamma": "1/2", "taylor_order": "1", "tla": "w16 on", "channels": "55", "depth": "6", "aggregation": "on",
        "large": "GRLA", "window_size": "GRLA",
    }  # fmt: skip
    rows = pd.concat([load_published(study).query(f"level == '{level}'") for study, level in homes.items()])
    rows = rows[(rows["upscale"] == 4) & rows["value"].notna()]
    assert rows.groupby(["metric", "test_set"])["value"].nunique().eq(1).all()
    assert len(rows) > 40


def test_the_table_is_pivoted_by_level_and_upscale() -> None:
    table = published_table(load_published("state_of_the_art")).set_index(["level", "upscale"])
    assert list(table) == [
        *("Set5", "Set14", "BSD100", "Urban100", "Manga109", "params K", "hook_flops G", "latency ms", "source")
    ]
    assert list(table.index)[:3] == [("GRLA", "x2"), ("GRLA", "x3"), ("GRLA", "x4")]
    assert table.loc[("GRLA", "x2"), "Set5"] == "38.33 / 0.9616"
    assert list(table.loc[("GRLA", "x4"), ["params K", "hook_flops G", "latency ms"]]) == ["885", "56.5", "60.9"]
    assert table.loc[("GRLA", "x4"), "source"] == "Table 3, Table 10"
    assert set(table.loc[("SwinIR-light", "x4"), "Set5":"hook_flops G"]) == {"-"}


def test_divergence_read_off_values_and_remarks_are_shown() -> None:
    gamma = published_table(load_published("gamma")).set_index("level")
    assert list(gamma.index) == ["1", "2/3", "1/2", "1/4", "1/8", "1/16"]
    assert list(gamma["outcome"]) == ["diverged", "diverged", "-", "-", "-", "-"]
    channels = published_table(load_published("channels")).set_index("level")
    assert channels.loc["60", "Set5"] == "about 32.63"
    text = quoted("aggregation")
    assert text.count("copy error") == 1
    assert "Manga109 |" not in text
    assert "about 7600" in quoted("large")


def quoted(study: str) -> str:
    return published_section(load_published(study), study).markdown()


def test_the_section_ends_the_summary_and_mixes_nothing(made_up: Any, summary: Summary) -> None:
    text = summary(made_up._replace(layout=replace(made_up.layout, study="kernels")))
    ours, _, section = text.partition("## Published")
    assert section.startswith(" (GRLA paper, 1000 epochs of DIV2K; not measured here)")
    assert "| gaussian_rbf |        x4 | 32.64 / 0.9001 |" in section
    assert "bicubic" not in section
    assert "32.64" not in ours
    assert "## " not in section
    assert ours.replace("kernels", "attention", 1).rstrip() == summary(made_up).rstrip()


def test_a_study_without_published_numbers_has_no_section(made_up: Any, summary: Summary) -> None:
    assert (len(load_published("attention")), quoted("attention")) == (0, "")
    assert "Published" not in summary(made_up)


def test_published_numbers_are_files_of_their_own() -> None:
    _, table, *_ = published_section(load_published("kernels"), "kernels").blocks
    assert table.file == "published"
    assert table.csv().startswith("level,upscale,Set5,Urban100,Manga109,params K,hook_flops G,source\n")
    assert "gaussian_rbf,x4,32.64 / 0.9001," in table.csv()
    assert "kernels: published, not measured here." in table.latex()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "psnr"}, "metric must be one of psnr_y, .*, got 'psnr'"),
        ({"value": "32,6"}, "value a number or empty"),
        ({"upscale": "x4"}, "upscale must be a whole number"),
        ({"note": None}, "must have the columns note"),
    ],
)
def test_a_broken_table_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    row = dict(zip(COLUMNS, NUMBERS[0], strict=False)) | {"approximate": "", "note": ""} | change
    kept = {name: [value] for name, value in row.items() if value is not None}
    pd.DataFrame(kept).replace({np.nan: ""}).to_csv(tmp_path / "published.csv", index=False)
    with pytest.raises(InputError, match=message):
        load_published("kernels", tmp_path / "published.csv")


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv does not exist"):
        load_published("kernels", tmp_path / "none.csv")
