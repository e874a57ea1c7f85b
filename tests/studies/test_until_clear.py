"""More seeds for what is still open: the real loop, on a study of a second a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from grla.engine import StudyRun
from grla.engine.storage import FILE_NAME
from grla.errors import InputError
from grla.report.kinds.study import study_document
from grla.report.results import load_results
from grla.report.statistics.verdicts import Difference, study_differences
from rounds import run_until_clear

MakeRun = Callable[..., StudyRun]


def test_stopped_variants_have_fewer_seeds(make_run: MakeRun) -> None:
    run = replace(make_run(seeds=3), stopped={"kernel=relu": 2})
    cells = [(cell.variant, cell.spec.seed) for cell in run.cells()]
    assert len(cells) == 8
    assert ("kernel=relu", 2) not in cells


def test_open_variants_get_more_seeds_and_the_correction_stays(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settled by decree: depth=2 at the first look, kernel=relu never; the second call finds everything done."""
    run = make_run()
    name = run_until_clear(run, 1e-9, 3, decreed)
    assert run_until_clear(run, 1e-9, 3, decreed) == name
    printed = capsys.readouterr().out
    assert printed.count("2 seeds: kernel=relu still open at 1e-09 dB.") == 2
    assert "8 of 8 cells are done already" in printed
    results = load_results(run.settings.out / FILE_NAME, name)
    assert results.cells.groupby("variant")["seed"].count().to_dict() == {"base": 3, "kernel=relu": 3, "depth=2": 2}
    assert results.layout.num_looks == 2
    assert "2 looks at numbers of seeds" in study_document(results, run.folder).markdown()


def decreed(*study: object) -> dict[str, Difference]:
    """The true differences but for depth=2's, which is made clear."""
    found = study_differences(*study)
    assert {difference.num_seeds for difference in found.values()} <= {2, 3}
    return found | {"depth=2": replace(found["depth=2"], verdict="better")}


def test_nonsense_is_refused_before_anything_runs(make_run: MakeRun) -> None:
    run = make_run(seeds=4)
    with pytest.raises(InputError, match="max_seeds must be a whole number of at least 4, got 3"):
        run_until_clear(run, 0.05, 3)
    with pytest.raises(InputError, match="clear must be above 0 dB, got -1"):
        run_until_clear(run, -1, 8)
    with pytest.raises(InputError, match="seeds must be a whole number of at least 1, got 0"):
        run_until_clear(make_run(seeds=0), 0.05, 8)
    with pytest.raises(InputError, match="workers must be at least 1 with `until_clear`"):
        run_until_clear(make_run(settings={"workers": 0}), 0.05, 8)
    assert not run.settings.out.exists()
