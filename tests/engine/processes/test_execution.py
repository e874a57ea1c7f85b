"""Ways to train a network: bits or rounding, what the record says, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from grla.benchmark.networks import prepared_network
from grla.engine import StudyRun, run_study
from grla.engine.processes.execution import USUAL, Execution, read_ways
from grla.engine.storage import FILE_NAME
from grla.errors import InputError
from grla.model import build_model
from grla.report.kinds.study import publish
from grla.spec import Budget, EdsrLiteSpec, ModelSpec, TrainSpec
from grla.study import Study
from grla.training.loop import Trainer

CPU = torch.device("cpu")
TINY = {"dim": 10, "depth": 1, "num_heads": 2, "window_size": 4, "upscale": 2}


def trained(model: nn.Module, execution: Execution) -> Trainer:
    """After two steps on noise."""
    lr = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    hr = lr.repeat_interleave(2, 2).repeat_interleave(2, 3)
    trainer = Trainer(model, TrainSpec(Budget(2, "steps")), lambda step: (lr, hr), CPU, execution.prepare)
    for _ in range(2):
        trainer.train_step()
    return trainer


def small(spec: EdsrLiteSpec | ModelSpec) -> nn.Module:
    torch.manual_seed(0)
    return build_model(spec)


def test_compiled_training_differs_by_rounding_and_keeps_names() -> None:
    """Really compiled, hence a network of two convolutions: a graph of GRLASR takes a minute."""
    spec = EdsrLiteSpec(upscale=2, channels=4, blocks=1)
    usual, compiled = trained(small(spec), USUAL), trained(small(spec), Execution(compile=True))
    assert compiled.network is not compiled.model
    expected = usual.model.state_dict()
    for name, value in compiled.model.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", ["gaussian_rbf", "rbf_ridge"])
def test_the_fast_paths_are_one_graph_to_the_compiler(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own gradients and oneDNN's products included; its code generator is left out, which takes a minute."""
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **_: original(model, backend="aot_eager", fullgraph=True))
    spec = ModelSpec(**TINY, kernel=kernel)
    usual, compiled = trained(small(spec), USUAL), trained(small(spec), Execution(compile=True))
    assert compiled.last_loss == pytest.approx(usual.last_loss, rel=1e-4)
    expected = usual.model.state_dict()
    for name, value in compiled.model.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-4)


def test_a_study_with_checkpointing_has_the_same_results_and_says_so(
    make_run: Callable[..., StudyRun], tiny: Study, tmp_path: Path
) -> None:
    frames = {}
    for execution in (USUAL, Execution(checkpoint_activations=True)):
        study = replace(tiny, factors=tiny.factors[:1])
        run = make_run(study=study, out=tmp_path / str(execution), settings={"execution": execution})
        name = run_study(run)
        publish(run.settings.out / FILE_NAME, name, run.folder)
        frames[execution] = pd.read_csv(run.folder / "cells.csv", keep_default_na=False)
        provenance = json.loads((run.folder / "provenance.json").read_text())
        assert provenance["execution"] == {**asdict(execution), "processes": 1}
        said = "trained with checkpoint_activations:" in (run.folder / "summary.md").read_text()
        assert said == execution.checkpoint_activations
    usual, checkpointed = frames.values()
    assert set(usual["execution"]) == {""}
    assert set(checkpointed["execution"]) == {"checkpoint_activations"}
    same = ["cell_hash", "psnr_y", "ssim_y", "final_loss"]
    pd.testing.assert_frame_equal(usual[same], checkpointed[same])


def test_only_networks_with_blocks_checkpoint() -> None:
    both = Execution(checkpoint_activations=True)
    assert both.suited(build_model(ModelSpec(**TINY))) == both
    assert both.suited(build_model(EdsrLiteSpec(upscale=2))) == USUAL
    with pytest.raises(InputError, match=r"edsr_lite\+checkpoint-activations cannot checkpoint its activations"):
        prepared_network("edsr_lite+checkpoint-activations", 2, CPU)


def test_names_of_a_benchmark_say_how() -> None:
    assert read_ways("gaussian_rbf") == ("gaussian_rbf", USUAL)
    assert read_ways("a.b:c+compile") == ("a.b:c", Execution(compile=True))
    assert prepared_network("none+checkpoint-activations", 2, CPU).checkpoint_activations
    with pytest.raises(InputError, match="what follows a \\+ must be one of checkpoint-activations, compile"):
        read_ways("gaussian_rbf+compiled")


def test_what_cannot_be_done_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="checkpoint_activations does not go with `compile`"):
        read_ways("relu+compile+checkpoint-activations")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(InputError, match="compile needs a C\\+\\+ compiler on a CPU: install g\\+\\+"):
        Execution(compile=True).prepare(build_model(EdsrLiteSpec(upscale=2)))
