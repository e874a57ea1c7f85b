"""What a run is: frozen, hashable descriptions of model, data, training and measuring. Imports no torch.

A spec says everything that can change a number and nothing else (no paths of outputs, no device). Two runs with equal
specs on equal data are the same run; `spec_hash` is its name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from grla.errors import InputError, require, require_at_least, require_choice

AttentionLayer = Literal["window", "global"]
Norm = Literal["batch", "layer", "none"]
Schedule = Literal["halving", "cosine", "stable"]
Loss = Literal["l1", "mse", "charbonnier", "l1_fft"]
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
Spec = TypeVar("Spec")
OptionValue = float | int | str | bool
LATER = "later"
"""Marks a field that came after records had been made: at its default it is not part of a run's identity."""


def later(default: Any) -> Any:
    """A field whose default is what runs did before there was the field; see LATER."""
    return field(default=default, metadata={LATER: True})


@dataclass(frozen=True)
class KernelSpec:
    """An attention kernel by file name (`grla/attention/kernels/NAME.py`) and its options."""

    name: str = "gaussian_rbf"
    options: Mapping[str, OptionValue] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self.options.items()))))

    def __str__(self) -> str:
        options = ", ".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name}({options})" if options else self.name


@dataclass(frozen=True)
class ModelSpec:
    """GRLASR (GRLA paper, figure 4); the defaults are the paper's x4 network.

    `layers` are the attention layers of one pair: ("window", "global") is the paper's TWSA then TLA, ("window",
    "window") its table 11, ("global", "global") its table 8, ("window",) its table 6 without TLA. `kernel` is that of
    the global layers (a bare name stands for a kernel without options); windows always use softmax. With `local_values`
    global layers add a depthwise convolution of their values, with `dynamic_values` one whose weights are made of the
    mean of their input, with `output_gate` they multiply their output by a linear map of their input, as several
    published kernels come with. `norm` is the norm inside the local branch, `pair_norm` the LayerNorm before each pair.
    """

    upscale: int = 4
    dim: int = 55
    depth: int = 6
    layers: tuple[AttentionLayer, ...] = ("window", "global")
    window_size: int = 16
    num_heads: int = 5
    num_global_heads: int = 1
    kernel: KernelSpec = KernelSpec()
    mlp_ratio: float = 2.0
    aggregation: bool = True
    norm: Norm = "batch"
    pair_norm: bool = True
    shift_windows: bool = False
    local_values: bool = later(False)
    output_gate: bool = later(False)
    dynamic_values: bool = later(False)

    def __post_init__(self) -> None:
        if isinstance(self.kernel, str):
            object.__setattr__(self, "kernel", KernelSpec(self.kernel))
        require_choice("model.upscale", self.upscale, (2, 3, 4))
        require_choice("model.norm", self.norm, get_args(Norm))
        for name in ("dim", "depth", "window_size", "num_heads", "num_global_heads"):
            require_at_least(f"model.{name}", getattr(self, name), 1)
        require(self.mlp_ratio > 0, "model.mlp_ratio", "must be above 0", self.mlp_ratio)
        require(len(self.layers) > 0, "model.layers", "must name at least one attention layer", self.layers)
        for layer in self.layers:
            require_choice("model.layers", layer, get_args(AttentionLayer))
        for layer, heads in (("window", "num_heads"), ("global", "num_global_heads")):
            divides = layer not in self.layers or self.dim % getattr(self, heads) == 0
            require(divides, f"model.{heads}", f"must divide model.dim ({self.dim})", getattr(self, heads))


@dataclass(frozen=True)
class EdsrLiteSpec:
    """A convolution-only baseline after EDSR: `blocks` residual blocks of `channels` channels, pixel shuffle."""

    upscale: int = 4
    channels: int = 64
    blocks: int = 8

    def __post_init__(self) -> None:
        require_choice("model.upscale", self.upscale, (2, 3, 4))
        require_at_least("model.channels", self.channels, 1)
        require_at_least("model.blocks", self.blocks, 1)


@dataclass(frozen=True)
class OutsideSpec:
    """A model from outside: `factory` is "package.module:factory", see `grla.model.baselines.outside_model`."""

    factory: str
    upscale: int = 4

    def __post_init__(self) -> None:
        require(":" in self.factory, "model.factory", "must look like package.module:factory", self.factory)
        require_choice("model.upscale", self.upscale, (2, 3, 4))


AnyModelSpec = ModelSpec | EdsrLiteSpec | OutsideSpec


@dataclass(frozen=True)
class DataSpec:
    """Where images come from ("bundled" or folders) and how training batches are cut from them.

    `train` is one source or several, whose images are taken together. `patch_size` is the side of a training patch in
    LR pixels. `test_tile` cuts test images into tiles of that side (LR pixels) that the network sees one by one; None
    shows it the whole image. `stages` are triples (step, patch_size, batch_size) with ascending steps: batches are of
    these sizes from that step on, as patches and batches grow or shrink in progressive training (Zamir et al. 2022,
    "Restormer"). Test images that are among the training images are an error without `allow_overlap`. Which folder an
    image lay in does not enter a run's identity, its content does (see `grla.engine.material.cell_hash`).
    """

    train: str | tuple[str, ...] = "bundled"
    test: tuple[str, ...] = ("bundled",)
    patch_size: int = 64
    batch_size: int = 16
    test_tile: int | None = None
    stages: tuple[tuple[int, int, int], ...] = later(())
    allow_overlap: bool = later(False)

    def __post_init__(self) -> None:
        require(len(self.train) > 0, "data.train", "must name at least one source", self.train)
        if isinstance(self.train, tuple) and len(self.train) == 1:
            object.__setattr__(self, "train", self.train[0])
        if self.test_tile is not None:
            require_at_least("data.test_tile", self.test_tile, 1)
        require_at_least("data.patch_size", self.patch_size, 1)
        require_at_least("data.batch_size", self.batch_size, 1)
        require(len(self.test) > 0, "data.test", "must name at least one test set", self.test)
        triples = all(len(stage) == 3 and min(stage) >= 1 for stage in self.stages)
        rule = "must be triples (step, patch_size, batch_size) of numbers of at least 1"
        require(triples, "data.stages", rule, self.stages)
        steps = [stage[0] for stage in self.stages]
        require(steps == sorted(set(steps)), "data.stages", "must begin at ascending steps", self.stages)


@dataclass(frozen=True)
class RecallSpec:
    """Images of the recall probe (`grla.data.recall`): pairs of glyphs, copies of which miss their value.

    Batches have each of `num_pairs` pairs in turn, and there are test images of each. Lengths are in LR pixels:
    `patch_size` is an image's side, `glyph` a glyph's, `apart` the least width of the band between intact and blanked
    copies (0: all mixed). `texture` in [0, 1] is the amplitude of noise on the glyphs. `distractors` is the share of
    cells that show unrelated pairs. With `overwritten` a key stands with two values, of which the one that comes later
    in reading order counts. There are also test images of `test_pairs` pairs, which training does not see, and all of
    them are `test_size` wide and high (0: as in training). `stream` numbers the test images: those of another number
    are drawn independently.
    """

    num_pairs: tuple[int, ...] = (2, 4, 8, 16)
    patch_size: int = 16
    glyph: int = 2
    texture: float = 0.0
    apart: int = 0
    batch_size: int = 16
    distractors: float = later(0.0)
    overwritten: bool = later(False)
    test_pairs: tuple[int, ...] = later(())
    test_size: int = later(0)
    stream: int = later(0)
    test_tile: ClassVar[None] = None
    stages: ClassVar[tuple[()]] = ()

    def __post_init__(self) -> None:
        at_least = {"patch_size": 1, "glyph": 1, "apart": 0, "batch_size": 1, "test_size": 0, "stream": 0}
        for name, least in at_least.items():
            require_at_least(f"data.{name}", getattr(self, name), least)
        require(0 <= self.texture <= 1, "data.texture", "must lie between 0 and 1", self.texture)
        require(0 <= self.distractors < 1, "data.distractors", "must be at least 0 and below 1", self.distractors)
        mixed = not (self.distractors or self.overwritten) or self.apart == 0
        require(mixed, "data.apart", "must be 0 with data.distractors or data.overwritten", self.apart)
        width = 2 * self.glyph
        for name in ("patch_size", "test_size"):
            rule = f"must be a multiple of a pair's width, 2 * data.glyph = {width}"
            require(getattr(self, name) % width == 0, f"data.{name}", rule, getattr(self, name))
        require(len(self.num_pairs) > 0, "data.num_pairs", "must name at least one number of pairs", self.num_pairs)
        twice = sorted({*self.num_pairs} & {*self.test_pairs})
        require(not twice, "data.test_pairs", "must not be among data.num_pairs, which are tested as well", twice)
        self._require_room("num_pairs", self.patch_size, self.num_pairs)
        self._require_room("test_pairs", self.test_size or self.patch_size, (*self.num_pairs, *self.test_pairs))

    def _require_room(self, name: str, side: int, numbers: tuple[int, ...]) -> None:
        """Raise InputError for a number of pairs for which images of this side have no room."""
        rows, columns = side // self.glyph, side // (2 * self.glyph)
        cells = rows * ((columns - self.band) // 2 * 2) - round(self.distractors * rows * columns)
        # An overwritten key needs a copy with the old value as well.
        limit = cells // (4 if self.overwritten else 2)
        rule = f"must be at most {limit}: each pair needs an intact and a blanked copy, and no more fit"
        for number in numbers:
            require_at_least(f"data.{name}", number, 1)
            require(number <= limit, f"data.{name}", rule, number)

    @property
    def band(self) -> int:
        """Columns of cells in the band between intact and blanked copies."""
        return -(-self.apart // (2 * self.glyph))


@dataclass(frozen=True)
class SimilaritySpec:
    """Images of the self-similarity probe (`grla.data.similarity`): `copies` x `copies` copies of a patch.

    `patch_size` is the side of an image, all copies together, in LR pixels.
    """

    patch_size: int = 32
    copies: int = 2
    batch_size: int = 8
    test_tile: ClassVar[None] = None
    stages: ClassVar[tuple[()]] = ()

    def __post_init__(self) -> None:
        for name, least in (("patch_size", 1), ("copies", 2), ("batch_size", 1)):
            require_at_least(f"data.{name}", getattr(self, name), least)
        fits = self.patch_size % self.copies == 0 and 8 <= self.patch_size // self.copies <= 64
        rule = f"must be data.copies ({self.copies}) times the side of a copy, 8 to 64 LR pixels"
        require(fits, "data.patch_size", rule, self.patch_size)


AnyDataSpec = DataSpec | RecallSpec | SimilaritySpec


def all_stages(data: AnyDataSpec) -> tuple[tuple[int, int, int], ...]:
    """(first step, patch_size, batch_size) of every stage of training; the first one begins at step 0."""
    return ((0, data.patch_size, data.batch_size), *data.stages)


def sizes_at(data: AnyDataSpec, step: int) -> tuple[int, int]:
    """The patch_size and batch_size of the batch of a step."""
    stages = reversed(all_stages(data))
    return next((patch_size, batch_size) for first, patch_size, batch_size in stages if first <= step)


@dataclass(frozen=True)
class Budget:
    """How long a cell trains: a number of steps (reproducible to the bit) or minutes of training time."""

    amount: float
    unit: Literal["steps", "min"]

    def __post_init__(self) -> None:
        require_choice("train.budget.unit", self.unit, ("steps", "min"))
        require(self.amount > 0, "train.budget", "must be above 0", self.amount)
        whole = self.unit == "min" or float(self.amount).is_integer()
        require(whole, "train.budget", "must be a whole number of steps", self.amount)

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read "600steps" or "2.5min"; anything else is an InputError."""
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(steps|min)\s*", text)
        if match is None:
            raise InputError(f"budget must look like 600steps or 5min, got {text!r}")
        # As studies say it: 600.0 steps have another hash.
        amount = float(match[1]) if "." in match[1] else int(match[1])
        return cls(amount, "steps" if match[2] == "steps" else "min")

    @property
    def words(self) -> str:
        """As a sentence has it: "600 steps" or "2.5 min"."""
        return f"{self.amount:g} {self.unit}" if self.unit == "min" else f"{int(self.amount)} steps"

    def __str__(self) -> str:
        return self.words.replace(" ", "")


@dataclass(frozen=True)
class TrainSpec:
    """Adam as in the paper's A.1, which does not state the `loss`: L1 is the field's default.

    `loss` "charbonnier" and "l1_fft" are those of `grla.training.losses`. `schedule` "halving" halves the learning rate
    after every fifth of the budget (the paper: every 200 of 1000 epochs), "cosine" takes it to 0, "stable" keeps it and
    takes it linearly to 0 over the last fifth (Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond
    Fixed Training Durations"): runs that differ in their budget alone then share their first steps. `warmup` is over
    how many steps the rate first rises to where it belongs. `betas` are Adam's; with `weight_decay` it is AdamW.

    `clip_norm` bounds the gradient norm (None: off), `ema_decay` evaluates an exponential moving average of the weights
    (None: off). With `ema_ramp` its decay begins low: it is at most (1 + n) / (10 + n) after n updates, so that short
    runs forget where they began (TensorFlow's `ExponentialMovingAverage` with `num_updates`). `norm_frozen` is the
    share of the steps, the last ones, in which BatchNorm keeps its statistics and normalises by them, as in evaluation.
    `init_from` is a file of weights to start from where they fit by name and shape, a study's checkpoint or a state
    dict; like the images', its content enters a run's identity and its path does not. `precision` is that of training
    on a GPU (a CPU trains in float32): "tf32" multiplies float32 by TF32, "bf16" and "fp16" run in 16 bits where
    autocast does, "fp16" with scaled losses; "" leaves it to `amp`, on for bf16 and off for fp32, which are kept so.
    Scores and costs are always in float32. `validations` is how often the validation images are scored, evenly over the
    budget.
    """

    budget: Budget = Budget(800_000, "steps")
    learning_rate: float = 5e-4
    loss: Loss = "l1"
    schedule: Schedule = "halving"
    warmup: int = later(0)
    betas: tuple[float, float] = later((0.9, 0.999))
    weight_decay: float = later(0.0)
    clip_norm: float | None = None
    ema_decay: float | None = None
    ema_ramp: bool = later(False)
    norm_frozen: float = later(0.0)
    init_from: str = later("")
    amp: bool = False
    precision: Literal["", "fp32", "tf32", "bf16", "fp16"] = later("")
    validations: int = 20

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "train.learning_rate", "must be above 0", self.learning_rate)
        require_choice("train.loss", self.loss, get_args(Loss))
        require_choice("train.precision", self.precision or "fp32", get_args(Precision))
        if self.precision:  # one run has one hash: what can be said by `amp` is said by it
            object.__setattr__(self, "amp", self.precision == "bf16")
            object.__setattr__(self, "precision", "" if self.precision in ("fp32", "bf16") else self.precision)
        require_choice("train.schedule", self.schedule, get_args(Schedule))
        require_at_least("train.validations", self.validations, 1)
        require_at_least("train.warmup", self.warmup, 0)
        pair = len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)
        require(pair, "train.betas", "must be two numbers of at least 0 and below 1", self.betas)
        require(self.weight_decay >= 0, "train.weight_decay", "must be at least 0", self.weight_decay)
        require(self.clip_norm is None or self.clip_norm > 0, "train.clip_norm", "must be above 0", self.clip_norm)
        inside = self.ema_decay is None or 0 < self.ema_decay < 1
        require(inside, "train.ema_decay", "must lie between 0 and 1", self.ema_decay)
        averaged = self.ema_decay is not None or not self.ema_ramp
        require(averaged, "train.ema_ramp", "must be off without train.ema_decay", self.ema_ramp)
        require(0 <= self.norm_frozen < 1, "train.norm_frozen", "must be at least 0 and below 1", self.norm_frozen)
        if self.schedule == "stable":
            self._require_trunk()

    def _require_trunk(self) -> None:
        """Raise InputError unless all but the last fifth is the same for every budget."""
        tens = self.budget.unit == "steps" and self.budget.amount % 10 == 0
        require(tens, "train.budget", 'must be tens of steps with train.schedule "stable"', str(self.budget))
        rule = 'must be a multiple of 5 with train.schedule "stable"'
        require(self.validations % 5 == 0, "train.validations", rule, self.validations)
        rule = 'must be at most 0.2, the share in which the rate falls, with train.schedule "stable"'
        require(self.norm_frozen <= 0.2, "train.norm_frozen", rule, self.norm_frozen)

    @property
    def computed_in(self) -> Precision:
        """The precision, said by either field."""
        return self.precision or ("bf16" if self.amp else "fp32")

    @property
    def trunk_steps(self) -> int | None:
        """The number of steps before the rate of the schedule "stable" falls; None with others."""
        return int(self.budget.amount) * 4 // 5 if self.schedule == "stable" else None


@dataclass(frozen=True)
class CostSpec:
    """What costs refer to: counts at an HR output size (height, width), latency at an LR input size (height, width)."""

    count_output: tuple[int, int] = (720, 1280)
    latency_input: tuple[int, int] = (180, 320)
    latency_runs: int = 10

    def __post_init__(self) -> None:
        require_at_least("cost.latency_runs", self.latency_runs, 1)
        for name in ("count_output", "latency_input"):
            size = getattr(self, name)
            require(len(size) == 2, f"cost.{name}", "must be two numbers, height and width", size)
            for side in size:
                require_at_least(f"cost.{name}", side, 1)


@dataclass(frozen=True)
class RunSpec:
    """One training run: what `run_one` needs to make a record."""

    model: AnyModelSpec = ModelSpec()
    data: AnyDataSpec = DataSpec()
    train: TrainSpec = TrainSpec()
    cost: CostSpec = CostSpec()
    seed: int = 0

    def __post_init__(self) -> None:
        far = not isinstance(self.model, ModelSpec) or "global" in self.model.layers
        rule = "must name a global layer: a probe asks for what lies outside of windows"
        require(far or isinstance(self.data, DataSpec), "model.layers", rule, getattr(self.model, "layers", None))
        if isinstance(self.model, ModelSpec):
            norms = self.model.norm == "batch" or not self.train.norm_frozen
            require(norms, "train.norm_frozen", 'must be 0 unless model.norm is "batch"', self.train.norm_frozen)
            side = self.model.window_size if "window" in self.model.layers else 1
            whole = all(stage[1] % side == 0 for stage in self.data.stages)
            rule = f"must have patches that are multiples of model.window_size ({side}): others are padded"
            require(whole, "data.stages", rule, self.data.stages)


def with_changes(spec: Spec, changes: Mapping[str, object]) -> Spec:
    """A copy of `spec` with fields replaced by dotted path, for instance {"model.depth": 4}, all in one step.

    A kernel may be given by its name alone, with its options beside it ("model.kernel", "model.kernel.options.gamma").
    Raises InputError with the valid fields when a path names none, for a value of another type than the field's, and
    when the new values break a rule together.
    """
    replaced: Any = _replace(spec, {tuple(path.split(".")): value for path, value in changes.items()})
    return cast(Spec, replaced)


def to_dict(spec: object) -> dict[str, Any]:
    """The spec as plain JSON-ready dicts, lists and numbers."""
    plain: dict[str, Any] = json.loads(json.dumps(_plain(spec)))
    return plain


def from_dict(cls: type[Spec], values: Mapping[str, Any]) -> Spec:
    """The inverse of `to_dict`; an unknown or broken field is an InputError."""
    known = get_type_hints(cls)
    _require_fields(cls, values)
    arguments = {}
    for name, value in values.items():
        arguments[name] = as_tuples(_nested(known[name], value))
        _require_type(name, arguments[name], known[name])
    return cls(**arguments)


def as_tuples(value: Any) -> Any:
    """Lists, which JSON has, as tuples, which specs have, at every depth; anything else as it is."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def spec_hash(content: object) -> str:
    """16 hex digits that name a spec (or any JSON-ready content), equal on every machine and Python version."""
    text = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _nested(hint: Any, value: Any) -> Any:
    """`value` as the dataclass that `hint` is, or the first of a union that has all its fields; else as it is."""
    for candidate in (hint, *get_args(hint)):
        fits = dataclasses.is_dataclass(candidate) and isinstance(value, Mapping)
        if fits and (candidate is hint or set(value) <= set(get_type_hints(candidate))):
            return from_dict(cast(type, candidate), value)
    return value


def _plain(content: object) -> object:
    """Dataclasses as dicts, nested ones included, without later fields that say nothing; anything else as it is."""
    if dataclasses.is_dataclass(content) and not isinstance(content, type):
        given = {one: getattr(content, one.name) for one in dataclasses.fields(content)}
        return {
            one.name: _plain(value)
            for one, value in given.items()
            if not (LATER in one.metadata and value == one.default)
        }
    if isinstance(content, Mapping):
        return {key: _plain(value) for key, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list | tuple) else content


def _replace(node: Any, changes: Mapping[tuple[str, ...], object], place: tuple[str, ...] = ()) -> Any:
    """`node` (a spec, or a kernel's options, at the key path `place`) with the values at the key paths below it."""
    whole = {keys[0]: value for keys, value in changes.items() if len(keys) == 1}
    inner: dict[str, dict[tuple[str, ...], object]] = {}
    for keys, value in changes.items():
        if len(keys) > 1:
            inner.setdefault(keys[0], {})[keys[1:]] = value
    if isinstance(node, Mapping):
        for name, value in whole.items():
            require(_fits(value, OptionValue), ".".join((*place, name)), "must be a number, a text or a bool", value)
        return {**node, **whole}
    _require_fields(type(node), [*whole, *inner])
    for name, hint in get_type_hints(type(node)).items():
        if name in whole and not (hint is KernelSpec and isinstance(whole[name], str)):
            _require_type(".".join((*place, name)), whole[name], hint)
    deeper = {key: _replace(_start(whole, node, key), rest, (*place, key)) for key, rest in inner.items()}
    return dataclasses.replace(node, **{**whole, **deeper})


def _require_type(name: str, value: object, hint: Any) -> None:
    """Raise InputError for a value of another type than a field's."""
    shown = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace(f"{__name__}.", "")
    require(_fits(value, hint), name, f"must be of type {shown}", value)


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a field's type, as far as its rules do not say themselves: the kind, not the choice."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if kind is tuple:
        return isinstance(value, tuple) and all(_fits(item, parts[0]) for item in value)
    if kind is Literal:
        return isinstance(value, str)
    return isinstance(value, (int, float) if hint in (int, float) else kind or hint)


def _start(whole: Mapping[str, object], node: Any, key: str) -> Any:
    """What changes below `node.key` are applied to: its new value (a bare name stands for a kernel) or the old one."""
    value = whole.get(key, getattr(node, key))
    return KernelSpec(value) if isinstance(value, str) else value


def _require_fields(cls: Any, names: Iterable[str]) -> None:
    known = [field.name for field in dataclasses.fields(cls)]
    for name in names:
        if name not in known:
            raise InputError(f"{cls.__name__} has no field {name!r}; its fields: {', '.join(known)}")
