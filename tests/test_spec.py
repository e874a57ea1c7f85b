from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grla.errors import InputError
from grla.spec import (
    Budget,
    DataSpec,
    KernelSpec,
    ModelSpec,
    RecallSpec,
    RunSpec,
    SimilaritySpec,
    TrainSpec,
    all_stages,
    from_dict,
    sizes_at,
    spec_hash,
    to_dict,
    with_changes,
)

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "model.depth": st.integers(1, 9),
        "model.kernel": st.sampled_from([KernelSpec("relu"), KernelSpec("gaussian_rbf", {"gamma": 0.25})]),
        "model.layers": st.sampled_from([("window", "global"), ("global", "global")]),
        "data.batch_size": st.integers(1, 64),
        "data.train": st.sampled_from(["a", ("a", "b")]),
        "train.clip_norm": st.none() | st.floats(0.1, 10),
        "train.budget": st.builds(Budget, st.integers(1, 10**6), st.sampled_from(["steps", "min"])),
        "seed": st.integers(0, 1000),
    },
)


@given(CHANGES)
def test_specs_survive_json(changes: dict) -> None:
    spec = with_changes(RunSpec(), changes)
    again = from_dict(RunSpec, json.loads(json.dumps(to_dict(spec))))
    assert again == spec
    assert spec_hash(again) == spec_hash(spec)


@given(CHANGES, CHANGES)
def test_equal_hash_means_equal_spec(first: dict, second: dict) -> None:
    specs = [with_changes(RunSpec(), changes) for changes in (first, second)]
    assert (spec_hash(specs[0]) == spec_hash(specs[1])) == (specs[0] == specs[1])


def test_hash_is_the_same_in_another_process() -> None:
    code = "from grla.spec import *; print(spec_hash(RunSpec(model=ModelSpec(kernel='relu'))))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == spec_hash(RunSpec(model=ModelSpec(kernel="relu")))


def test_the_default_is_the_papers_network() -> None:
    spec = ModelSpec()
    assert (spec.dim, spec.depth, spec.window_size, spec.num_heads, spec.num_global_heads) == (55, 6, 16, 5, 1)
    assert (spec.kernel, spec.norm, spec.aggregation) == (KernelSpec("gaussian_rbf"), "batch", True)


def test_changes_reach_options_and_leave_the_original_alone() -> None:
    base = RunSpec()
    changed = with_changes(base, {"model.kernel.options.gamma": 0.25, "model.depth": 4})
    assert changed.model.kernel == KernelSpec("gaussian_rbf", {"gamma": 0.25})
    assert changed.model.depth == 4
    assert base == RunSpec()


def test_a_kernel_named_beside_its_options_starts_from_none() -> None:
    base = RunSpec(ModelSpec(kernel=KernelSpec("gaussian_rbf", {"gamma": 0.5, "qk_norm": "both"})))
    changed = with_changes(base, {"model.kernel.options.ridge": 0.1, "model.kernel": "rbf_ridge"})
    assert changed.model.kernel == KernelSpec("rbf_ridge", {"ridge": 0.1})
    assert with_changes(base, {"model.kernel": "relu"}).model.kernel == KernelSpec("relu")


def test_changes_are_checked_together() -> None:
    """8 channels are refused with 5 heads, 2 heads are refused with 55 channels; both at once are fine."""
    assert with_changes(RunSpec(), {"model.dim": 8, "model.num_heads": 2}).model.dim == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.deptth": 3}, r"ModelSpec has no field 'deptth'; its fields: upscale, dim, depth"),
        ({"modell.depth": 3}, r"RunSpec has no field 'modell'; its fields: model, data"),
        ({"model.depth": 0}, r"model.depth must be a whole number of at least 1, got 0"),
        ({"model.depth": 2.5}, r"model.depth must be a whole number"),
        ({"model.window_size": 0}, r"model.window_size must be .* at least 1, got 0"),
        ({"model.dim": 56}, r"model.num_heads must divide model.dim \(56\), got 5"),
        ({"model.upscale": 5}, r"model.upscale must be one of 2, 3, 4, got 5"),
        ({"model.norm": "group"}, r"model.norm must be one of batch, layer, none, got 'group'"),
        ({"model.layers": ("windows",)}, r"model.layers must be one of window, global, got 'windows'"),
        ({"model.layers": ()}, r"model.layers must name at least one"),
        ({"train.schedule": "step"}, r"train.schedule must be one of halving, cosine, stable"),
        (
            {"train.schedule": "stable", "train.budget": Budget(15, "steps")},
            r'must be tens of steps with train.schedule "st',
        ),
        ({"train.schedule": "stable", "train.budget": Budget(5, "min")}, r"must be tens of steps .* got .5min"),
        ({"train.schedule": "stable", "train.validations": 4}, r"train.validations must be a multiple of 5 .* got 4"),
        ({"train.warmup": -1}, r"train.warmup must be a whole number of at least 0, got -1"),
        ({"train.loss": "l2"}, r"train.loss must be one of l1, mse, charbonnier, l1_fft, got 'l2'"),
        ({"train.betas": (0.9, 1.0)}, r"train.betas must be two numbers of at least 0 and below 1, got \(0.9, 1.0\)"),
        ({"train.betas": (0.9,)}, r"train.betas must be two numbers"),
        ({"train.weight_decay": -0.1}, r"train.weight_decay must be at least 0, got -0.1"),
        ({"train.ema_ramp": True}, r"train.ema_ramp must be off without train.ema_decay, got True"),
        ({"train.norm_frozen": 1.0}, r"train.norm_frozen must be at least 0 and below 1, got 1.0"),
        (
            {"train.schedule": "stable", "train.norm_frozen": 0.3},
            r'train.norm_frozen must be at most 0.2, .* "stable", got 0.3',
        ),
        (
            {"model.norm": "layer", "train.norm_frozen": 0.1},
            r'norm_frozen must be 0 unless model.norm is "batch"',
        ),
        ({"data.stages": ((10, 32),)}, r"data.stages must be triples \(step, patch_size, batch_size\) of numbers"),
        ({"data.stages": ((0, 32, 4),)}, r"data.stages must be triples .* of at least 1, got \(\(0, 32, 4\),\)"),
        ({"data.stages": ((20, 32, 4), (10, 48, 4))}, r"data.stages must begin at ascending steps, got"),
        ({"data.stages": ((10, 24, 4),)}, r"multiples of model.window_size \(16\): others are padded, got \(\(10, 24,"),
        ({"data.stages": (3,)}, r"^data.stages must be of type tuple"),
        ({"train.learning_rate": 0.0}, r"train.learning_rate must be above 0"),
        ({"train.ema_decay": 1.0}, r"train.ema_decay must lie between 0 and 1"),
        ({"train.clip_norm": -1.0}, r"train.clip_norm must be above 0"),
        ({"data.test": ()}, r"data.test must name at least one"),
        ({"data.train": ()}, r"data.train must name at least one"),
        ({"cost.latency_input": (0, 5)}, r"cost.latency_input must be .* at least 1"),
        ({"model.kernel": {"name": "relu"}}, r"^model.kernel must be of type KernelSpec, got {'name': 'relu'}"),
        ({"model.kernel.options.gamma": {}}, r"^model.kernel.options.gamma must be a number, a text or a bool, got {}"),
        ({"model": {"depth": 2}}, r"^model must be of type .*ModelSpec"),
        ({"train.learning_rate": "x"}, r"^train.learning_rate must be of type float, got 'x'"),
        ({"train.clip_norm": {}}, r"^train.clip_norm must be of type float \| None, got {}"),
        ({"train.loss": {}}, r"^train.loss must be of type .*Literal\[.*\], got {}"),
        ({"train.budget": "5steps"}, r"^train.budget must be of type Budget, got '5steps'"),
        ({"cost.count_output": ("a", 2)}, r"^cost.count_output must be of type tuple\[int, int\], got \('a', 2\)"),
        ({"cost.count_output": (720,)}, r"^cost.count_output must be two numbers, height and width, got \(720,\)"),
        ({"cost.latency_input": (7.5, 2)}, r"^cost.latency_input must be a whole number of at least 1, got 7.5"),
        ({"train.betas": 0.9}, r"^train.betas must be of type tuple\[float, float\], got 0.9"),
        ({"data.test": ({},)}, r"^data.test must be of type tuple"),
    ],
)
def test_a_wrong_field_or_value_is_named_with_the_rule(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_changes(RunSpec(), changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.num_pairs": (4, 17)}, r"data.num_pairs must be at most 16: .* no more fit, got 17"),
        ({"data.num_pairs": (0,)}, r"data.num_pairs must be .* at least 1, got 0"),
        ({"data.num_pairs": ()}, r"data.num_pairs must name at least one"),
        ({"data.glyph": 9}, r"data.patch_size must be a multiple of a pair's width, 2 \* data.glyph = 18, got 16"),
        ({"data.apart": 8, "data.num_pairs": (9,)}, r"data.num_pairs must be at most 8"),
        ({"data.apart": 16, "data.num_pairs": (1,)}, r"data.num_pairs must be at most 0"),
        ({"data.distractors": 1.0}, r"data.distractors must be at least 0 and below 1, got 1.0"),
        ({"data.distractors": 0.5}, r"data.num_pairs must be at most 8: .* got 16"),
        ({"data.overwritten": True}, r"data.num_pairs must be at most 8: .* got 16"),
        ({"data.overwritten": True, "data.apart": 4, "data.num_pairs": (2,)}, r"data.apart must be 0 with data.distr"),
        ({"data.test_pairs": (32,)}, r"data.test_pairs must be at most 16: .* got 32"),
        ({"data.test_pairs": (4,)}, r"data.test_pairs must not be among data.num_pairs, .* got \[4\]"),
        ({"data.test_size": 18}, r"data.test_size must be a multiple of a pair's width, 2 \* data.glyph = 4, got 18"),
        ({"data.texture": 1.5}, r"data.texture must lie between 0 and 1, got 1.5"),
        (
            {"model.layers": ("window",)},
            r"model.layers must name a global layer: a probe asks for what lies outside of windows",
        ),
        ({"data.train": "DIV2K"}, r"RecallSpec has no field 'train'; its fields: num_pairs, patch_size"),
        ({"data.test_tile": 8}, r"RecallSpec has no field 'test_tile'"),
    ],
)
def test_a_probe_that_cannot_be_is_refused_with_the_limit(changes: dict, message: str) -> None:
    probe = RunSpec(ModelSpec(upscale=2, layers=("global",)), RecallSpec())
    with pytest.raises(InputError, match=message):
        with_changes(probe, changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.copies": 1}, r"data.copies must be .* at least 2, got 1"),
        (
            {"data.patch_size": 33},
            r"data.patch_size must be data.copies \(2\) times the side .*, 8 to 64 LR pixels, got 33",
        ),
        ({"data.patch_size": 256}, r"data.patch_size must be .* got 256"),
    ],
)
def test_copies_must_fit(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_changes(RunSpec(ModelSpec(upscale=2), SimilaritySpec()), changes)


def test_a_batch_has_the_sizes_of_its_stage_and_stages_survive_json() -> None:
    data = DataSpec(patch_size=16, batch_size=8, stages=((10, 32, 4), (25, 48, 2)))
    assert all_stages(data) == ((0, 16, 8), (10, 32, 4), (25, 48, 2))
    assert [sizes_at(data, step) for step in (0, 9, 10, 24, 25, 999)] == [
        (16, 8),
        (16, 8),
        (32, 4),
        (32, 4),
        (48, 2),
        (48, 2),
    ]
    assert from_dict(RunSpec, json.loads(json.dumps(to_dict(RunSpec(data=data))))) == RunSpec(data=data)
    assert all_stages(SimilaritySpec()) == ((0, 32, 8),)


def test_windows_that_are_absent_do_not_bind_patches() -> None:
    assert RunSpec(ModelSpec(layers=("global",)), DataSpec(stages=((10, 23, 1),))).data.stages


def test_heads_of_layers_that_are_absent_are_not_checked() -> None:
    assert ModelSpec(dim=7, layers=("global",)).num_heads == 5


@pytest.mark.parametrize(
    ("text", "budget"),
    [("600steps", Budget(600, "steps")), (" 2.5 min", Budget(2.5, "min")), ("5min", Budget(5, "min"))],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget
    assert Budget.parse(str(budget)) == budget
    assert spec_hash(Budget.parse(text)) == spec_hash(budget)


@pytest.mark.parametrize("text", ["600", "steps", "1.5steps", "0min", "-3min", "5 hours", ""])
def test_unreadable_budgets_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="budget"):
        Budget.parse(text)


def test_one_training_folder_is_that_folder() -> None:
    assert DataSpec(train=("DIV2K",)) == DataSpec(train="DIV2K")
    assert to_dict(DataSpec(train=("DIV2K",)))["train"] == "DIV2K"


def test_unknown_stored_fields_are_refused() -> None:
    with pytest.raises(InputError, match="TrainSpec has no field 'momentum'"):
        from_dict(RunSpec, {"train": {"momentum": 0.9}})
    probe = RunSpec(ModelSpec(upscale=2), RecallSpec(num_pairs=(2, 3), apart=4))
    assert from_dict(RunSpec, to_dict(probe)) == probe
    assert from_dict(RunSpec, {}) == RunSpec(data=DataSpec(), train=TrainSpec())


def test_fields_that_came_later_say_nothing_at_their_default() -> None:
    """Runs keep their names when a spec gets a field that they do not use."""
    plain = to_dict(RunSpec(data=RecallSpec()))
    assert "warmup" not in plain["train"]
    assert not {"stream", "distractors", "overwritten", "test_pairs", "test_size"} & set(plain["data"])
    assert not {"betas", "weight_decay", "ema_ramp", "norm_frozen", "init_from"} & set(plain["train"])
    assert "stages" not in to_dict(DataSpec())
    used = with_changes(RunSpec(data=RecallSpec()), {"train.warmup": 5, "data.stream": 1, "data.test_pairs": (3,)})
    plain = to_dict(used)
    assert (plain["train"]["warmup"], plain["data"]["stream"], plain["data"]["test_pairs"]) == (5, 1, [3])
    assert from_dict(RunSpec, plain) == used
    assert spec_hash(used) != spec_hash(RunSpec(data=RecallSpec()))
