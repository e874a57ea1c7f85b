"""Costs are measured once for each variant, and all its cells' records say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from grla.devices import card_name
from grla.engine import StudyRun, measuring, run_study
from grla.engine.measuring import PREFIX, _step_macs, cost_name, measure_variants, work_of
from grla.engine.plan import Plan
from grla.engine.processes.execution import USUAL, Execution
from grla.engine.run import open_plan
from grla.errors import InputError, Interrupted
from grla.provenance import OthersShare
from grla.report.results import load_results
from grla.spec import Budget, OutsideSpec, with_changes
from grla.study import Factor, Study

MakeRun = Callable[..., StudyRun]
CPU = torch.device("cpu")
FAILING = """
import torch

class Failing(torch.nn.Conv2d):
    def forward(self, x):
        raise RuntimeError("no such fun")

def build(upscale):
    return Failing(3, 3, 3)
"""


def measurements(plan: Plan) -> dict[str, Any]:
    attributes = plan.trials.user_attrs
    return {name.removeprefix(PREFIX): json.loads(attributes[name]) for name in attributes if name.startswith(PREFIX)}


def test_each_variant_is_measured_once_for_all_its_seeds(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(seeds=3)
    name = run_study(run)
    assert capsys.readouterr().err.count("measuring what") == 3
    cells = load_results(run.settings.storage_url, name).cells
    assert len(cells) == 9
    for _, of_variant in cells.groupby("variant"):
        for column in ("costs", "macs", "latency_ms", "latency_p90_ms", "latency_threads", "train_peak_memory_mib"):
            assert of_variant[column].nunique() == 1, column
    assert cells["costs"].nunique() == 3


@pytest.mark.parametrize(("share", "said"), [(0.43, True), (0.1, False)])
def test_other_work_beside_the_measurement_is_said_and_recorded(
    make_run: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    share: float,
    said: bool,
) -> None:
    monkeypatch.setattr(OthersShare, "now", lambda _: share)
    run = make_run(seeds=1)
    name = run_study(run)
    shown = capsys.readouterr().err
    assert shown.count("Other work kept up to 43% of this machine's processors busy") == said
    assert (load_results(run.settings.storage_url, name).cells["others_share"] == share).all()


def test_more_seeds_and_other_studies_find_what_was_measured(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(seeds=1)
    run_study(run)
    run_study(replace(run, seeds=2))
    other = replace(run, study=replace(run.study, name="other"), seeds=3)
    name = run_study(other)
    assert capsys.readouterr().err.count("measuring what") == 3
    assert load_results(run.settings.storage_url, name).cells["costs"].nunique() == 3


def test_a_measurement_is_named_by_all_that_changes_it(make_run: MakeRun) -> None:
    planned = open_plan(make_run()).cells[0]

    def name(execution: Execution = USUAL, source: str = planned.source, **changes: Any) -> str:
        changed = {path.replace("__", "."): value for path, value in changes.items()}
        cell = replace(planned.cell, spec=with_changes(planned.cell.spec, changed))
        return cost_name(replace(planned, cell=cell, source=source), CPU, execution)

    assert name(seed=5, train__learning_rate=1.0, train__budget=Budget(7, "steps"), train__validations=1) == name()
    changed = [
        name(Execution(checkpoint_activations=True)),
        name(source="other"),
        name(model__depth=3),
        name(data__batch_size=3),
        name(train__ema_decay=0.9),
        name(cost__latency_input=(9, 7)),
    ]
    assert len({name(), *changed}) == 7


def test_what_was_measured_on_another_card_is_not_taken_for_this_one_s(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = open_plan(make_run()).cells[0]
    names = set()
    for card in ("Tesla T4", "NVIDIA H100 80GB HBM3"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device, card=card: card)
        names.add(cost_name(planned, torch.device("cuda"), USUAL))
        assert card_name(torch.device("cuda")) == card
    assert len(names | {cost_name(planned, CPU, USUAL)}) == 3


def test_what_was_measured_by_another_path_of_attention_is_not_taken(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = open_plan(make_run()).cells[0]
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    unset, off = [], []
    for device in (torch.device("cuda"), CPU):
        monkeypatch.delenv("GRLA_TRITON", raising=False)
        unset.append(cost_name(planned, device, USUAL))
        monkeypatch.setenv("GRLA_TRITON", "0")
        off.append(cost_name(planned, device, USUAL))
    assert unset[0] != off[0]
    assert unset[1] == off[1]


def test_the_largest_batch_counts_and_processes_divide_all_of_them(make_run: MakeRun) -> None:
    small, large = (
        work_of([(cell.spec, {}) for cell in make_run(data__batch_size=4, data__stages=stages).cells()], USUAL)
        for stages in ((), ((2, 16, 6), (4, 8, 2)))
    )
    assert (small.batch_size, large.batch_size) == (4, 2)
    planned = open_plan(make_run(data__batch_size=4, data__stages=((2, 16, 6),))).cells[0]
    # 4 patches of 8x8, 6 of 16x16; counts are for 16x16.
    assert _step_macs(planned.cell.spec, {"macs": 10}) == 10 * 6


@pytest.fixture
def with_failing(make_run: MakeRun, tiny: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyRun:
    """Two seeds of a network of ours and of one that cannot be run."""
    (tmp_path / "failing_model.py").write_text(FAILING)
    monkeypatch.syspath_prepend(tmp_path)
    factor = Factor("model", {"ours": {}, "theirs": {"model": OutsideSpec("failing_model:build", upscale=2)}})
    return make_run(seeds=2, study=replace(tiny, factors=(factor,)))


def test_a_network_that_cannot_be_run_is_a_record_and_is_measured_again(
    with_failing: StudyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = with_failing
    for _ in range(2):
        cells = load_results(run.settings.storage_url, run_study(run)).cells
        assert cells["outcome"].tolist() == ["ok", "error"] * 2
        assert cells["reason"].str.contains("no such fun").tolist() == [False, True] * 2
        assert (cells["steps"] > 0).tolist() == [True, False] * 2
    printed = capsys.readouterr().err
    assert printed.count("measuring what base costs") == 1
    assert printed.count("measuring what model=theirs costs") == 2


def test_a_network_that_leaves_the_gpu_dead_ends_one_run_and_the_next_trains_the_others(
    with_failing: StudyRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, alive = with_failing, iter([True, False])

    def require_alive(device: torch.device) -> None:
        if not next(alive, True):
            raise InputError("the GPU is of no more use to this process")

    monkeypatch.setattr(measuring, "require_alive", require_alive)
    with pytest.raises(InputError, match="of no more use"):
        run_study(run)
    cells = load_results(run.settings.storage_url, run_study(run)).cells
    assert cells["outcome"].tolist() == ["ok", "error"] * 2
    assert capsys.readouterr().err.count("measuring what model=theirs costs") == 1


def test_a_precision_that_the_gpu_would_emulate_is_refused_before_anything_is_measured(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    run = make_run(settings={"workers": 2}, train__precision="bf16")
    with pytest.raises(InputError, match="precision must be one of fp32, fp16 on a GPU"):
        run_study(replace(run, settings=replace(run.settings, device=torch.device("cuda"))))
    assert "measuring what" not in capsys.readouterr().err


def test_measuring_stops_between_two_variants(make_run: MakeRun) -> None:
    plan = open_plan(make_run())
    asked = iter([False, True])
    with pytest.raises(Interrupted, match="between two measurements"):
        measure_variants(plan, CPU, USUAL, lambda: next(asked))
    assert len(measurements(plan)) == 1
    measure_variants(plan, CPU, USUAL)
    assert len(measurements(plan)) == 3
