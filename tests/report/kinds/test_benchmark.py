"""A benchmark's folder: what is found, written, shown and checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grla.errors import InputError
from grla.provenance import BENCHMARK_PROTOCOL, ROOT
from grla.report.kinds import benchmark
from tests.report.records import cost_record, latency_record, memory_record, scaling_record, training_record

REFERENCE = ROOT / "results" / "reference"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All five records of a machine, a latency and a memory in a folder below; reports written."""
    records = {
        "cost": cost_record(),
        "memory": memory_record(),
        "training": training_record(),
        "scaling": scaling_record(),
        "128x128/latency": latency_record(),
        "128x128/memory": memory_record(),
    }
    folder = tmp_path / "results" / "benchmark"
    for name, record in records.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(record))
    (folder / "notes.json").write_text("{}")
    benchmark.write(folder)
    return folder


def test_folders_are_those_called_benchmark_that_hold_records(folder: Path) -> None:
    root = folder.parent
    (root / "other" / "benchmark").mkdir(parents=True)
    assert benchmark.folders(root) == benchmark.folders(folder) == benchmark.folders(root.parent) == [folder]


def test_each_record_has_its_rows_and_figures_beside_it(folder: Path) -> None:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in (".csv", ".png")}
    assert names == {
        *("cost.csv", "memory.csv", "training.csv", "scaling.csv", "128x128/latency.csv", "128x128/memory.csv"),
        *("memory.png", "training.png", "scaling-kernels.png", "scaling-networks.png", "roofline.png"),
        "128x128/memory.png",
    }
    assert (folder / "128x128" / "latency.csv").read_text().startswith("name,median_ms,p10_ms,ratio,low,high\n")


def test_the_page_has_a_section_per_record_in_their_order(folder: Path) -> None:
    page = benchmark.document(folder)
    assert [section.title for section in page.sections] == [
        *("Counts", "Latency, 128x128", "Memory, 128x128", "Memory", "Training steps"),
        *("Scaling with the number of tokens", "Provenance"),
    ]
    html = page.html()
    assert "1.95 [1.80, 2.10]" in html
    assert "Forward pass of an LR image of 64x128, x4, 15 rounds." in html
    assert html.count("<img") == 6
    assert "a processor, 2 threads" in html
    assert benchmark.link(folder, "b.html").text.endswith(
        "Holds: latency, memory, counts, scaling with the number of tokens, training steps."
    )


def test_what_was_changed_is_named(folder: Path) -> None:
    def other_than_code(folder: Path) -> list[str]:
        return [fault for fault in benchmark.faults(folder) if not fault.startswith("code ")]

    assert other_than_code(folder) == []
    (folder / "128x128" / "latency.csv").write_text("name\n")
    (folder / "128x128" / "memory.png").unlink()
    record = json.loads((folder / "training.json").read_text())
    record["models"][0]["data_share"] = 0.5
    record["protocol"] = "grla-benchmark-0"
    (folder / "training.json").write_text(json.dumps(record))
    assert other_than_code(folder) == [
        "128x128/latency.csv: is not what latency.json gives",
        "training.csv: is not what training.json gives",
        "memory.png: is missing",
        "training: shows other data than the rows give",
        f"protocol: was grla-benchmark-0, numbers now mean {BENCHMARK_PROTOCOL}",
    ]


def test_a_damaged_record_is_named(folder: Path) -> None:
    (folder / "cost.json").write_text("{")
    with pytest.raises(InputError, match=r"cannot read .*cost\.json"):
        benchmark.document(folder)


def test_the_reference_benchmark_matches() -> None:
    (folder,) = benchmark.folders(REFERENCE)
    assert benchmark.faults(folder) == []
