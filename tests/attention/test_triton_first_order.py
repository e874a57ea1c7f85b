"""The GPU kernels of GRBF attention against the slow truth: on a GPU if there is one, else in Triton's interpreter."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from grla.attention import build_kernel, first_order, triton_probe
from grla.attention.interface import AttentionKernel
from grla.attention.triton_probe import found_obstacle, triton_obstacle

if find_spec("triton") is None and not os.environ.get("CI"):
    pytest.skip("needs triton, see requirements-dev.txt", allow_module_level=True)
triton_first_order = importlib.import_module("grla.attention.triton_first_order")
fused_first_order_attention = triton_first_order.fused_first_order_attention

ROOT = Path(__file__).parents[2]
GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels take the path of GPUs wherever tensors are."""
    monkeypatch.setattr(first_order, "triton_suits", lambda q, k, v: True)


def tokens(queries: int, keys: int, head_dim: int, *, lead: tuple[int, int] = (1, 1), seed: int = 0) -> list[Tensor]:
    """q, k and v in float64, with a mean that is not zero."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(*lead, count, head_dim) for count in (queries, keys, keys)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) + 0.5 for shape in shapes]


def with_gradients(attend: object, inputs: list[Tensor]) -> list[Tensor]:
    """Output, and gradients of a random probe of it by q, k and v; all in float64 on the CPU."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    out = attend(*leaves)
    probe = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = torch.autograd.grad(out, leaves, probe.to(out))
    return [x.detach().double().cpu() for x in (out, *gradients)]


def compare(found: list[Tensor], truth: list[Tensor], precision: float = 1e-5) -> None:
    """Each within `precision` of its largest number.

    Gradients of q and k are differences of terms of order 1, and may be nil: float32 leaves some 1e-7 of the terms.
    """
    for mine, true in zip(found, truth, strict=True):
        torch.testing.assert_close(mine, true, rtol=0, atol=precision * float(true.abs().max() + 0.1))


def fused(slope: float) -> object:
    return lambda q, k, v: fused_first_order_attention(q, k, v, slope)


def slow(kernel: AttentionKernel) -> object:
    return lambda q, k, v: kernel.weights(q, k) @ v


def there(inputs: list[Tensor], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [x.to(DEVICE, dtype) for x in inputs]


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (2, 63), (257, 2), (63, 257)])
@pytest.mark.parametrize(("head_dim", "gamma"), [(1, 0.3), (8, 0.5), (16, 0.1), (55, 0.5), (64, 2.0)])
def test_values_and_gradients_are_those_of_the_weights(queries: int, keys: int, head_dim: int, gamma: float) -> None:
    inputs = tokens(queries, keys, head_dim)
    kernel = build_kernel("gaussian_rbf", head_dim, gamma=gamma)
    compare(with_gradients(fused(kernel.slope), there(inputs)), with_gradients(slow(kernel), inputs))


def as_layer(x: Tensor) -> Tensor:
    """The same numbers as a slice of wider rows with heads side by side, as the qkv projection leaves them."""
    batch, heads, count, dim = x.shape
    qkv = torch.zeros(batch, count, 3, heads, dim, dtype=x.dtype, device=x.device)
    qkv[:, :, 1] = x.transpose(1, 2)
    return qkv[:, :, 1].transpose(1, 2)


def as_image(x: Tensor) -> Tensor:
    """The same numbers with the channels of a token far apart."""
    return x.mT.contiguous().mT


@settings(max_examples=8, deadline=None)
@given(
    lead=st.tuples(st.integers(1, 2), st.integers(1, 3)), queries=st.integers(1, 80), keys=st.integers(1, 80),
    head_dim=st.integers(2, 64), gamma=st.floats(0.05, 0.7), layout=st.sampled_from([as_layer, as_image]),
    programs=st.sampled_from([1, 3, 512]), tile=st.sampled_from([2**10, 2**11]),
)  # fmt: skip
def test_any_shape_layout_and_number_of_programs(
    lead: tuple[int, int],
    queries: int,
    keys: int,
    head_dim: int,
    gamma: float,
    layout: object,
    programs: int,
    tile: int,
) -> None:
    inputs = tokens(queries, keys, head_dim, lead=lead, seed=queries)
    kernel = build_kernel("gaussian_rbf", head_dim, gamma=gamma)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triton_first_order, "PROGRAMS", programs)
        patch.setattr(triton_first_order, "TILE", tile)
        found = with_gradients(fused(kernel.slope), [layout(x) for x in there(inputs)])
    compare(found, with_gradients(slow(kernel), inputs))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # of numbers that are then not stored
@pytest.mark.parametrize("options", [{}, {"gamma": 1 / 16}, {"key_weight": False}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_the_kernel_on_this_path_is_the_kernel(dtype: torch.dtype, options: dict, chosen: None) -> None:
    """Also under autocast, whose 16-bit numbers are read as they are; and the 16-bit output goes on as one."""
    inputs = there(tokens(70, 90, 11, lead=(2, 3)), dtype)
    kernel = build_kernel("gaussian_rbf", 11, **options)
    exact = [x.double().cpu() for x in inputs]
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        assert kernel(*inputs).dtype == dtype
        found = with_gradients(kernel, inputs)
    compare(found, with_gradients(slow(kernel), exact), precision=max(1e-5, 2 * torch.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_more_16_bit_tokens_than_16_bits_can_count(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 70,000 keys, as the contract asks of kernels: sums must not run in 16 bits."""
    if not GPU:
        monkeypatch.setattr(triton_first_order, "TILE", 2**15)  # the interpreter is slow per tile
    q, k, v = there(tokens(16, 70_000, 11), dtype)
    kernel = build_kernel("gaussian_rbf", 11)
    expected = kernel.weights(q.double(), k.double()) @ v.double()
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(
        fused_first_order_attention(q, k, v, kernel.slope).double(), expected, rtol=eps, atol=eps
    )


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e12])
def test_zero_tiny_and_huge_tokens(scale: float) -> None:
    inputs = [scale * x for x in tokens(20, 30, 8)]
    found = with_gradients(fused(0.3), there(inputs))
    assert all(x.isfinite().all() for x in found)
    slow_out = with_gradients(slow(build_kernel("gaussian_rbf", 8, gamma=0.15 * 8**0.5)), inputs)[0]
    compare(found[:1], [slow_out], precision=1e-5 * max(1, scale))


def test_layers_get_tokens_back_without_a_copy_and_the_same_each_time() -> None:
    inputs = [as_layer(x) for x in there(tokens(50, 50, 11, lead=(2, 3)))]
    first, second = (fused_first_order_attention(*inputs, 0.4) for _ in range(2))
    assert first.transpose(1, 2).is_contiguous()
    assert torch.equal(first, second)


def test_gradients_of_gradients_are_refused_and_not_wrong() -> None:
    q, k, v = (x.requires_grad_() for x in there(tokens(3, 3, 4)))
    (gradient,) = torch.autograd.grad(fused_first_order_attention(q, k, v, 0.5).sum(), q, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        gradient.sum().backward()


OTHER_FORMULAS = [
    ("gaussian_rbf", {"qk_norm": "query"}), ("gaussian_rbf", {"qk_norm": "none", "gamma": 0.05}),
    ("gaussian_rbf", {"qk_norm": "query", "key_weight": False}), ("gaussian_rbf", {"taylor_order": 2}),
    ("gaussian_rbf", {"learn_gamma": True}), ("relu", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), OTHER_FORMULAS)
def test_kernels_of_another_formula_keep_their_path(name: str, options: dict, chosen: None) -> None:
    inputs = tokens(9, 12, 6)
    kernel = build_kernel(name, 6, **options)
    assert getattr(kernel, "slope", None) is None
    with torch.no_grad():
        compare([kernel(*inputs)], [kernel.weights(*inputs[:2]) @ inputs[2]], precision=1e-9)


def test_taylor_is_slope_one_and_counting_runs_the_definition(chosen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = there(tokens(9, 12, 6))
    kernel = build_kernel("taylor", 6)
    compare([kernel(*inputs).cpu()], [(kernel.weights(*inputs[:2]) @ inputs[2]).cpu()])
    kernel.plain_path = True
    monkeypatch.setattr(triton_first_order, "fused_first_order_attention", None)  # a call would fail
    compare([kernel(*inputs).cpu()], [(kernel.weights(*inputs[:2]) @ inputs[2]).cpu()])


FLOAT, HALF = torch.float32, torch.bfloat16


@pytest.mark.parametrize(
    ("suits", "is_cuda", "nvidia", "capability", "dtypes", "queries", "head_dim"),
    [
        (True, True, "13.0", (8, 0), (FLOAT,) * 3, 5, 64),
        (True, True, "13.0", (9, 0), (HALF,) * 3, 1, 55),
        (False, False, "13.0", (9, 0), (FLOAT,) * 3, 5, 55),  # on the CPU
        (False, True, None, (9, 0), (FLOAT,) * 3, 5, 55),  # another maker's GPU
        (False, True, "13.0", (7, 5), (FLOAT,) * 3, 5, 55),  # without TF32
        (False, True, "13.0", (9, 0), (FLOAT, FLOAT, HALF), 5, 55),
        (False, True, "13.0", (9, 0), (torch.float64,) * 3, 5, 55),
        (False, True, "13.0", (9, 0), (FLOAT,) * 3, 0, 55),
        (False, True, "13.0", (9, 0), (FLOAT,) * 3, 5, 65),
    ],
)
def test_where_it_is_chosen(
    suits: bool, is_cuda: bool, nvidia: str | None, capability: tuple[int, int], dtypes: tuple[torch.dtype, ...],
    queries: int, head_dim: int, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(triton_probe, "start_a_kernel", lambda device: None)
    found_obstacle.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", nvidia)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    shapes = [torch.Size((1, 2, count, head_dim)) for count in (queries, 7, 7)]
    stand_ins = [
        SimpleNamespace(is_cuda=is_cuda, dtype=dtype, shape=shape, numel=shape.numel, device="cuda:0")
        for dtype, shape in zip(dtypes, shapes, strict=True)
    ]
    assert first_order.triton_suits(*stand_ins) == suits
    with FlopCounterMode(display=False):
        assert not first_order.triton_suits(*stand_ins)
    monkeypatch.setenv("GRLA_TRITON", "0")
    found_obstacle.cache_clear()
    assert not first_order.triton_suits(*stand_ins)


@pytest.fixture
def a_gpu_of_nvidia(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """A device that has what Triton needs, but that no kernel can start on."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    found_obstacle.cache_clear()
    yield torch.device("cuda", 99)
    found_obstacle.cache_clear()


def test_where_a_kernel_does_not_start_attention_runs_without_and_says_so_once(a_gpu_of_nvidia: torch.device) -> None:
    """As where gcc is there, but Python.h is not."""
    with pytest.warns(UserWarning, match="cannot start on cuda:99 .*gcc and python3-dev.*GRLA_TRITON=0 turns them off"):
        obstacle = triton_obstacle(a_gpu_of_nvidia)
    assert obstacle
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build_kernel("gaussian_rbf", 55).path_on(a_gpu_of_nvidia) == f"eager ({obstacle})"


def test_a_switch_turns_it_off(a_gpu_of_nvidia: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRLA_TRITON", "0")
    assert build_kernel("taylor", 8).path_on(a_gpu_of_nvidia) == "eager (GRLA_TRITON=0)"


def test_the_path_names_the_version_where_it_is_triton(
    a_gpu_of_nvidia: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_probe, "start_a_kernel", lambda device: None)
    assert build_kernel("taylor", 8).path_on(a_gpu_of_nvidia) == f"triton {version('triton')}"
    assert build_kernel("taylor", 65).path_on(a_gpu_of_nvidia) == "eager (heads wider than 64)"
    assert build_kernel("gaussian_rbf", 8, taylor_order=2).path_on(a_gpu_of_nvidia) == ""
    assert build_kernel("taylor", 8).path_on(torch.device("cpu")) == ""


def test_the_probe_finds_that_kernels_run() -> None:
    """On the CPU in Triton's interpreter."""
    with torch.inference_mode():
        triton_probe.start_a_kernel(DEVICE)


def test_the_probe_finds_that_a_backward_pass_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_first_order, "query_gradients", None)
    with pytest.raises(TypeError):
        triton_probe.start_a_kernel(DEVICE)


def test_the_probe_finds_that_16_bits_are_computed_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = triton_first_order.fused_first_order_attention
    monkeypatch.setattr(
        triton_first_order,
        "fused_first_order_attention",
        lambda q, k, v, slope: usual(q, k, v, slope) * (2 if q.dtype == torch.bfloat16 else 1),
    )
    with pytest.raises(RuntimeError, match="something else than it should"):
        triton_probe.start_a_kernel(DEVICE)


def test_lack_of_memory_in_the_probe_is_no_obstacle_for_later(
    a_gpu_of_nvidia: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(device: torch.device) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(triton_probe, "start_a_kernel", full)
    with pytest.raises(torch.OutOfMemoryError):
        triton_obstacle(a_gpu_of_nvidia)
    monkeypatch.setattr(triton_probe, "start_a_kernel", lambda device: None)
    assert triton_obstacle(a_gpu_of_nvidia) == ""


def test_nothing_imports_triton_without_a_gpu() -> None:
    code = (
        "import sys, torch; from grla.attention import build_kernel; x = torch.rand(1, 1, 4, 8);"
        "build_kernel('gaussian_rbf', 8)(x, x, x); sys.exit('triton' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_it_compiles_for_gpus_and_fits_into_their_memory(tmp_path: Path) -> None:
    """What the interpreter cannot see. The smallest shared memory of a GPU with TF32 is 99 KiB a program."""
    targets = ["80:float32", "86:bfloat16", "89:float32", "90:float16", "100:bfloat16", "120:float32"]
    command = [sys.executable, Path(__file__).with_name("compile_triton.py"), *targets]
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    asked, found, shared = zip(*(map(int, line.split()) for line in done.stdout.splitlines()), strict=True)
    assert asked == found == tuple(int(target.split(":")[0]) for target in targets for _ in range(4))
    assert max(shared) <= 99 * 2**10


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_on_a_gpu_the_kernel_takes_this_path_for_very_many_tokens(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = there(tokens(100, 200_000, 55), dtype)
    kernel = build_kernel("gaussian_rbf", 55)
    assert first_order.triton_suits(*inputs)
    found = with_gradients(kernel, inputs)
    truth = with_gradients(slow(kernel), [x.double() for x in inputs])
    compare(found, truth, precision=max(1e-5, 2 * torch.finfo(dtype).eps))
