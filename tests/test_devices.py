"""Devices by name: on machines without a GPU, and with two pretended ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from grla.devices import choose_device, require_alive, share_gpus, take_own_gpu
from grla.errors import InputError
from grla.training import process_group


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Pretends that there are two; the devices that were made the current one are appended."""
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr("grla.devices.start_a_kernel", lambda device: None)
    return current


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_a_missing_device_is_refused_unless_it_is_only_named() -> None:
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:1", "mps"):
        with pytest.raises(InputError, match=f"device must be auto or cpu: PyTorch sees no {name[:4].strip(':')}"):
            choose_device(name)
        assert choose_device(name, here=False) == torch.device(name)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "cuda:one", "mps:0", "CPU", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="device must be auto, cpu, cuda, cuda:NUMBER or mps, got"):
        choose_device(name, here=False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("cuda", "why"),
    [(None, "is a build without CUDA"), ("13.0", "is for CUDA 13.0: the driver or the card may")],
)
def test_a_gpu_that_pytorch_cannot_use_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, cuda: str | None, why: str
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("grla.devices.NVIDIA_DRIVER", tmp_path / "driver")
    choose_device("auto")
    assert capsys.readouterr().err == ""
    (tmp_path / "driver").mkdir()
    choose_device("cpu")  # who asks for the CPU knows
    assert capsys.readouterr().err == ""
    choose_device("auto")
    told = capsys.readouterr().err
    assert "has an NVIDIA GPU that PyTorch cannot use" in told
    assert why in told


def test_a_gpu_that_the_build_has_no_kernels_for_is_none(
    two_gpus: list[torch.device], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """PyTorch counts it."""

    def no_kernels(device: torch.device) -> None:
        raise torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device\nCompile")

    monkeypatch.setattr("grla.devices.start_a_kernel", no_kernels)
    assert choose_device("auto") == torch.device("cpu")
    assert "so the CPU computes (CUDA error: no kernel image is available" in capsys.readouterr().err
    for name in ("cuda", "cuda:1"):
        with pytest.raises(InputError, match=f"device must be one that PyTorch can use.*no kernel image.*got '{name}'"):
            choose_device(name)
        assert choose_device(name, here=False) == torch.device(name)
    assert not two_gpus


def test_a_gpu_chosen_by_number_becomes_the_current_one(two_gpus: list[torch.device]) -> None:
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert not two_gpus
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert two_gpus == [torch.device("cuda:1")]
    with pytest.raises(InputError, match="device must be one of the 2 here, from 0 on, got 'cuda:2'"):
        choose_device("cuda:2")


def test_several_processes_take_the_gpus_in_turn_or_all_the_one_that_was_asked_for(
    two_gpus: list[torch.device | int],
) -> None:
    for number in range(3):
        share_gpus(torch.device("cuda"), number)
    share_gpus(torch.device("cuda:1"), 0)
    share_gpus(torch.device("cpu"), 1)
    assert two_gpus == [0, 1, 0, torch.device("cuda:1")]


def test_a_gpu_that_only_errs_is_of_no_more_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of this kind come back from every later call."""

    def dead(device: torch.device) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might")

    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    require_alive(torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "synchronize", dead)
    require_alive(torch.device("cpu"))
    with pytest.raises(InputError, match=r"no more use to this process \(CUDA error: an illegal .*ed\); run again"):
        require_alive(torch.device("cuda"))


def test_under_torchrun_each_process_has_a_gpu_of_its_own(two_gpus: list[torch.device | int]) -> None:
    take_own_gpu(torch.device("cuda"), 1, 2)
    take_own_gpu(torch.device("cpu"), 2, 3)
    assert two_gpus == [1]
    with pytest.raises(InputError, match=r"nproc-per-node must be at most the GPUs of this machine, 2: .* got 3"):
        take_own_gpu(torch.device("cuda"), 0, 3)
    with pytest.raises(InputError, match="device must be cuda under torchrun, which shares out the GPUs, got 'cuda:1'"):
        take_own_gpu(torch.device("cuda:1"), 0, 2)


def test_torchrun_s_processes_end_with_that_error_before_they_meet(
    two_gpus: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "is_torchelastic_launched", lambda: True)
    for name, value in {"WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3", "LOCAL_RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="nproc-per-node must be at most"), process_group(torch.device("cuda")):
        pass
    assert not two_gpus
