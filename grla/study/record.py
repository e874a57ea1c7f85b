"""What one cell measured: the record, its columns with heading, unit and format, and the names of its files and rows.

This is the only list of columns: the storage, the CSV files, the tables, the figures and the checks read it. A new
field of `Record` becomes a column in all of them; with a heading it is shown in the tables of cost as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_origin, get_type_hints

from grla.errors import InputError
from grla.provenance import PROTOCOL, code_version
from grla.spec import DataSpec, RunSpec, spec_hash, to_dict

Outcome = Literal["ok", "diverged", "out_of_memory", "error"]


@dataclass(frozen=True)
class Shown:
    """How a number is shown in tables: its heading with the unit, the factor to that unit, its format."""

    heading: str
    factor: float
    format: str

    def text(self, value: float) -> str:
        """`value`, in the record's unit, as it is shown below the heading."""
        return format(value * self.factor, self.format)


def measured(heading: str = "", factor: float = 1.0, spec: str = "") -> Any:
    """A field of a record that is None where it was not measured. With a heading it is shown as a cost."""
    return field(default=None, metadata={"shown": Shown(heading, factor, spec)} if heading else {})


@dataclass
class Record:
    """The result of one cell; `None` is what was not measured.

    psnr_y (dB) and ssim_y are means over all test images. Costs have their unit in the name; `macs` and `hook_flops`
    are per image at the spec's `count_output`, latency and `peak_memory_mib` at its `latency_input`. `num_features` is
    that of a linear kernel: the rows of the state that each head keeps of an image. Costs are measured once for all
    seeds of a variant with no cell of the study running, latency with `latency_threads`, and on a GPU as a CUDA graph,
    without launches, `latency_replay_ms`; `costs` names the measurement, during which other processes kept
    `others_share` (0 to 1) of the machine's processors busy.
    `train_seconds` are those of a process with `threads` threads, beside which `workers` - 1 other cells ran on the
    machine, and which got `processor_share` (0 to 1) of the processor time that its threads could use. `execution` says
    how it was trained (see `grla.engine.processes.execution`), "" for the usual way; nothing else depends on it, and
    training memory is that of one process. `attention_path` is the way of GRBF attention on a GPU, "triton VERSION",
    "eager (REASON)", or "compiled" where training was. `gain_db` is by how much validation PSNR-Y rose over the last
    doubling of the steps (`grla.engine.trunk` says against what). `device` is the type of device and `gpu` the name of
    the card, "" on a CPU and in older records; costs are measured on such a card, too. `source` names the code that
    computed it (`grla.study.source`), `code_version` the commit it was part of. `images` and `history` are tables of
    their own, see IMAGE_COLUMNS and CURVE_COLUMNS.
    """

    cell_hash: str
    outcome: Outcome = "ok"
    reason: str = ""
    psnr_y: float | None = None
    ssim_y: float | None = None
    num_params: int | None = measured("params K", 1e-3, ".1f")
    macs: int | None = measured("MACs G", 1e-9, ".2f")
    hook_flops: int | None = measured("hook_flops G", 1e-9, ".2f")
    elementwise_ops: int | None = None
    num_features: int | None = None
    latency_ms: float | None = measured("latency ms", 1.0, ".1f")
    latency_p10_ms: float | None = None
    latency_p90_ms: float | None = None
    latency_replay_ms: float | None = None
    latency_threads: int | None = None
    others_share: float | None = None
    peak_memory_mib: float | None = measured("memory MiB", 1.0, ".0f")
    train_peak_memory_mib: float | None = measured("train MiB", 1.0, ".0f")
    train_seconds: float | None = measured("train s", 1.0, ".0f")
    steps: int = 0
    gain_db: float | None = None
    final_loss: float | None = None
    device: str = "cpu"
    gpu: str = ""
    workers: int = 1
    threads: int = 1
    processor_share: float | None = None
    execution: str = ""
    attention_path: str = ""
    costs: str = ""
    source: str = ""
    code_version: str = field(default_factory=code_version)
    images: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class ImageScore:
    """One image's scores by the protocol: `psnr_y` in dB, `ssim_y` at most 1.

    An image that equals its HR has neither, as its PSNR is infinite: it is in no mean. For a probe `psnr_y` and `mse`
    (RGB, of [0, 1]) are those of the masked pixels and `psnr_y_outside` that of the others; None is what is not
    defined.
    """

    test_set: str
    image: str
    psnr_y: float | None
    ssim_y: float | None
    mse: float | None = None
    psnr_y_outside: float | None = None


NESTED = ("images", "history")
"""The fields of a record that are tables."""
CELL_COLUMNS = [one.name for one in fields(Record) if one.name not in (*NESTED, "cell_hash")]
"""The columns of a cell after its hash, variant, levels and seed."""
IMAGE_COLUMNS = ["test_images", *(one.name for one in fields(ImageScore))]
"""The columns of a row per test image; `test_images` names all of them, see `grla.engine.material`."""
VALIDATION_PSNR = "val_psnr_y"
CURVE_COLUMNS = ["step", "seconds", "loss", VALIDATION_PSNR, "val_ssim_y"]
"""The columns of a row per validation; GRADIENT_NORM begins those of gradient norms by part of the model."""
GRADIENT_NORM = "gradient_norm."


MOSTLY_ELEMENTWISE = 0.2
"""Elementwise operations per multiply-add from which `macs` must not be read as all multiply-adds: a product written as
an elementwise product and a sum, as a scan in plain PyTorch is, is among the former."""
COSTS: dict[str, Shown] = {one.name: one.metadata["shown"] for one in fields(Record) if "shown" in one.metadata}
"""The columns of tables of cost, by field."""


def text_fields(of: type) -> list[str]:
    """The fields of a dataclass that hold text: any text, or one of several strings."""
    return [name for name, hint in get_type_hints(of).items() if hint is str or get_origin(hint) is Literal]


def text_columns() -> list[str]:
    """The columns of cells and images that hold text; all others are numbers."""
    return list(dict.fromkeys([*text_fields(Record), *text_fields(ImageScore), "test_images"]))


def cell_identity(spec: RunSpec, images: Mapping[str, str], device: str, source: str) -> str:
    """16 hex digits that name a cell: its spec, with folders and files replaced by their content, the meaning of our
    numbers (PROTOCOL), the device type, and the source that computes it.

    `images` are the checksums by kind, that of weights to start from among them. Records of the first format have no
    source ("").
    """
    values = to_dict(spec)
    if isinstance(spec.data, DataSpec):
        values["data"] |= {"train": None, "test": None}
    values["train"].pop("init_from", None)
    content = {"spec": values, "images": dict(images), "protocol": PROTOCOL, "device": device}
    return spec_hash(content | ({"source": source} if source else {}))


def picture_name(test_set: str, image: str) -> str:
    """The file, without suffix, of a test image's result; a name may contain those of folders."""
    return f"{test_set}-{image}".replace("/", "_")


def require_no_cells_inside(study_folder: Path) -> None:
    """Raise InputError for a study's folder of the first layout, which held its cells' files itself.

    It has a provenance.json, as every study's folder: other folders may hold "checkpoints" of anything.
    """
    if (study_folder / "checkpoints").is_dir() and (study_folder / "provenance.json").is_file():
        raise InputError(
            f"{study_folder} holds checkpoints and pictures of its own, as an earlier version wrote; cells now lie "
            "in OUT/cells, by hash. Choose another folder for results, or move this one away; nothing was changed"
        )
