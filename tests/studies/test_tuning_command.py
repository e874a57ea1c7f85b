"""The command that searches, as a user calls it: search, confirm, and the winner as the base of a study."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import report
from run_ablation import Arguments, spec_changes

from grla.report.kinds import search, study
from grla.spec import Budget
from tests.shared.commands import call


def test_a_search_is_run_confirmed_and_its_winner_taken_as_a_base(tmp_path: Path) -> None:
    arguments = ("--profile", "smoke", "--trials", "2", "--out", tmp_path)
    shown = call("run_tuning.py", "search_recipe", *arguments, "--then-confirm", "1", "--seeds", "1")
    folder = tmp_path / "search_recipe" / "smoke"
    trials = pd.read_csv(folder / "trials.csv")
    assert trials["outcome"].isin(["ok", "pruned", "diverged"]).sum() == 2
    assert "Confirming trials 1 beside the base" in shown
    assert "## Confirmation" in (folder / "summary.md").read_text(encoding="utf-8")
    assert (folder / "history.png").exists()
    assert not (folder / "images").exists()  # no test image was upscaled
    cells = pd.read_csv(tmp_path / "search_recipe_confirmed" / "smoke" / "cells.csv")
    assert cells["variant"].tolist() == ["base", "configuration=trial 1"]
    assert set(cells["seed"]) == {0}
    assert cells["psnr_y"].notna().all()
    changes = json.loads((folder / "winner.json").read_text())["changes"]
    assert changes.keys() >= {"train.learning_rate", "data.batch_size", "data.patch_size"}
    assert spec_changes(Arguments(base=folder / "winner.json", budget="5steps")) == {
        **changes,
        "train.budget": Budget(5, "steps"),
    }
    check_records(folder, tmp_path / "search_recipe_confirmed" / "smoke")


def check_records(folder: Path, confirmed: Path) -> None:
    """Both match their rows and files until a row is changed, and have pages."""
    assert of_records(search.faults(folder)) == []
    assert of_records(study.faults(confirmed)) == []
    page = search.document(folder).html()
    assert page.count("<img") == 2
    for part in (
        "no test image was read",
        "Confirmation",
        "What this search cannot tell",
        "run_tuning.py search_recipe",
    ):
        assert part in page
    found = report.find(str(folder.parents[1]))
    assert [(kind.TITLE, folder) for kind, folder in found.folders] == [("Searches", folder), ("Studies", confirmed)]
    report.write_reports(found)
    assert of_records(search.faults(folder)) == []
    changed = json.loads((folder / "search.json").read_text())
    changed["changes"]["1"]["train.learning_rate"] *= 2
    changed["about"]["parameters"][0]["high"] *= 2
    (folder / "search.json").write_text(json.dumps(changed))
    faults = of_records(search.faults(folder))
    for part in ("definition: its hash is not", "parameters: were", "trial 1:", "winner.json: is not"):
        assert any(fault.startswith(part) for fault in faults), faults
    for _ in ("changed", "gone"):
        (fault,) = study.faults(confirmed)
        assert "the search's record must hold the confirmed trials ['trial 1']" in fault
        (folder / "search.json").unlink(missing_ok=True)


def of_records(faults: list[str]) -> list[str]:
    """The faults, but for those of the code under test: it may have changes that are not committed."""
    return [fault for fault in faults if not fault.startswith("code ")]


def test_list_shows_searches_with_questions_aims_and_times() -> None:
    shown = call("run_tuning.py", "--list")
    assert "search_architecture\n  Which small GRLASR gives the best validation PSNR-Y" in shown
    assert "Aim: validation PSNR-Y, against macs" in shown
    assert "Parameters: learning_rate, batch, patch" in shown
    assert "quick     30 trials, under 15 minutes" in shown


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("run_tuning.py", ["search_everything"], "SEARCH must be one of search_architecture, search_recipe, got"),
        ("run_tuning.py", ["--trials", "0"], "--trials must be a whole number of at least 1, got 0"),
        (
            "run_tuning.py",
            ["--then-confirm", "1", "--seeds", "0"],
            "--seeds must be a whole number of at least 1, got 0",
        ),
        ("run_tuning.py", ["--then-confirm", "1", "--test-data", "x"], "image folder x does not exist; give a folder"),
        ("run_ablation.py", ["--base", "unknown.json"], "study 'attention', profile 'smoke': ModelSpec has no field"),
        (
            "run_ablation.py",
            ["recall", "--train-data", "x", "--allow-overlap"],
            "recall is a probe, which makes its own images; leave out --train-data, --allow-overlap",
        ),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, script: str, arguments: list[str], message: str) -> None:
    (tmp_path / "unknown.json").write_text('{"changes": {"model.depht": 3}}')
    shown = call(script, "--profile", "smoke", *arguments, folder=tmp_path, code=1)
    assert f"error: {message}" in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "results").exists() or script == "run_ablation.py"  # nothing was trained
