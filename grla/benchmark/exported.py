"""Networks as files that other programs run: ONNX and torch.export, for images of every size, checked when written.

What is exported is the network's definition, on the plain paths of its modules: the faster ones are for PyTorch alone.
"""

from __future__ import annotations

import functools
import importlib
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as shapes

from grla.cost import definition_of
from grla.errors import InputError, ModelError, reason_of, require
from grla.files import atomic_write

OPSET = 20
ONNX, PROGRAM = ".onnx", ".pt2"
TRACED = (13, 18)
"""Height and width of the input that is traced; no side that a window size divides, so that both are padded."""
SIZES = ((64, 48), (33, 47), (5, 7))
"""Heights and widths at which a file is checked: whole windows, parts of them, and less than one."""
TOLERANCES = {torch.float32: 1e-4, torch.float16: 1 / 255}
"""How far an output may be from the network's in float32, for images in [0, 1]: of 16 bits a step of 8 bits."""
NEEDED = "pip install -r requirements-export.txt"


class Exported(nn.Module):
    """A network from a file, on the CPU: images (1, 3, height, width) in [0, 1] -> (1, 3, factor * height, ...)."""

    def __init__(self, run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.run = run

    def forward(self, lr: Tensor) -> Tensor:
        """The super-resolved images in float32."""
        return self.run(lr).float()


def exported_program(network: nn.Module, dtype: torch.dtype) -> ExportedProgram:
    """The program of a network in `dtype`, for one image of any height and width.

    Raises InputError for a network whose operations depend on the sizes in another way.
    """
    definition = definition_of(network, "cpu").to(dtype).requires_grad_(False)
    example = torch.zeros(1, 3, *TRACED, dtype=dtype)
    # Sides of one pixel or one window are no cases of their own.
    with shapes.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        try:
            return torch.export.export(definition, (example,), dynamic_shapes=({2: Dim.DYNAMIC, 3: Dim.DYNAMIC},))
        except Exception as error:
            raise _not_exported(network, error) from error


def write_program(network: nn.Module, dtype: torch.dtype, path: Path) -> dict[tuple[int, int], float]:
    """Write the torch.export file of `network`; returns by size how far it is from the network, see `check`."""
    require_suffix("torch_export", path, PROGRAM)
    content = io.BytesIO()
    torch.export.save(exported_program(network, dtype), content)
    return _write(content.getvalue(), network, dtype, path)


def write_onnx(network: nn.Module, dtype: torch.dtype, path: Path) -> dict[tuple[int, int], float]:
    """Write the ONNX file of `network`, opset OPSET, input "lr", output "sr"; returns what `write_program` does."""
    require_suffix("onnx", path, ONNX)
    library("onnxscript")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it reports on packages that nothing here needs
    program = exported_program(network, dtype)
    try:
        made = torch.onnx.export(program, opset_version=OPSET, input_names=["lr"], output_names=["sr"], verbose=False)
    except torch.onnx.OnnxExporterError as error:
        raise _not_exported(network, error) from error
    assert made is not None
    made.optimize()
    model = made.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("metadata_props")  # where in our code it comes from, with this machine's paths
    return _write(model.SerializeToString(), network, dtype, path)


def load_exported(path: Path, upscale: int | None = None) -> Exported:
    """The network in an ONNX or torch.export file, by its suffix, on the CPU with PyTorch's number of threads.

    Raises InputError for a file that cannot be read, ModelError for one that cannot be run on an image, and InputError
    for another factor than `upscale`, if that is given.
    """
    require(path.is_file(), f"exported network {path}", "must be a file", "nothing there")
    try:
        network = _loaded(path.read_bytes(), path)
        with torch.no_grad():
            factor = network(torch.zeros(1, 3, *TRACED)).shape[2] / TRACED[0]
    except InputError:
        raise
    except Exception as error:  # files of others: of several inputs, of fixed sizes, with an answer that is no image
        rule = "must take one image (1, 3, height, width) of any size and give one"
        raise ModelError(f"exported network {path} {rule}, got {reason_of(error)}") from error
    require(upscale in (None, factor), "upscale", f"must be that of {path}, x{factor:g}", upscale)
    return network


def require_suffix(name: str, path: Path, suffix: str) -> None:
    """Raise InputError unless the file called `name` ends in `suffix`: by that it is read again."""
    require(path.suffix == suffix, name, f"must end in {suffix}", str(path))


def is_exported(name: str) -> bool:
    """Whether a model's name is that of a file which `load_exported` reads."""
    return Path(name).suffix in (ONNX, PROGRAM)


def check(exported: nn.Module, network: nn.Module) -> dict[tuple[int, int], float]:
    """By height and width of an input of noise, the largest difference of the two networks' outputs."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for size in SIZES:
        lr = torch.rand(1, 3, *size, generator=generator)
        with torch.no_grad():
            found[size] = float((exported(lr) - network.eval()(lr)).abs().max())
    return found


def library(name: str) -> Any:
    """A package that only exporting needs; raises InputError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"{name} is not installed; {NEEDED}") from error


def _write(content: bytes, network: nn.Module, dtype: torch.dtype, path: Path) -> dict[tuple[int, int], float]:
    """Write a file whose network was found equal to `network`, and what `check` found."""
    found = check(_loaded(content, path), network)
    for (height, width), difference in found.items():
        rule = f"must be within {TOLERANCES[dtype]:.2g} of the network at {height}x{width}"
        require(difference <= TOLERANCES[dtype], f"the output of {path}", rule, difference)
    with atomic_write(path) as file:
        file.write(content)
    return found


def _loaded(content: bytes, path: Path) -> Exported:
    return Exported(_onnx_run(content, path) if path.suffix == ONNX else _program_run(content, path))


def _onnx_run(content: bytes, path: Path) -> Callable[[Tensor], Tensor]:
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of a module that is not public
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}; export it again") from error
    (lr,) = session.get_inputs()
    dtype = torch.float16 if lr.type == "tensor(float16)" else torch.float32

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {lr.name: images.to(dtype).numpy()})[0])

    return run


def _program_run(content: bytes, path: Path) -> Callable[[Tensor], Tensor]:
    try:
        program = torch.export.load(io.BytesIO(content))
    except Exception as error:  # whatever a broken archive makes of it
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}; export it again") from error
    module = program.module(check_guards=False)  # they would refuse windows that an image fills by itself
    held = (one.dtype for one in program.state_dict.values() if one.is_floating_point())
    dtype = next(held, torch.float32)
    run = functools.partial(module)  # as a submodule it would be asked to change into evaluation mode, and refuse
    return lambda images: run(images.to(dtype))


def _not_exported(network: nn.Module, error: Exception) -> InputError:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return InputError(f"{type(network).__name__} cannot be exported: {reason}")
