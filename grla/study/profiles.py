"""The four sizes at which studies of the paper are run, from seconds to the paper's own recipe."""

from __future__ import annotations

from grla.spec import Budget, CostSpec, KernelSpec, ModelSpec, RecallSpec, RunSpec, TrainSpec
from grla.study.definition import Profile
from grla.study.layout import Changes, Factor

SMOKE: Changes = {
    "model.dim": 8,
    "model.depth": 1,
    "model.window_size": 4,
    "model.num_heads": 2,
    "data.patch_size": 8,
    "data.batch_size": 2,
    "train.budget": Budget(4, "steps"),
    "train.validations": 2,
    "cost.latency_input": (16, 16),
    "cost.latency_runs": 3,
}
"""Shows that a study runs; its numbers mean nothing."""

QUICK: Changes = {
    "model.dim": 16,
    "model.depth": 1,
    "model.window_size": 8,
    "model.num_heads": 2,
    "data.patch_size": 24,
    "data.batch_size": 4,
    "train.budget": Budget(800, "steps"),
    "train.learning_rate": 5e-3,
    "train.schedule": "cosine",
    "train.validations": 5,
    "cost.latency_input": (64, 64),
    "cost.latency_runs": 20,
}
"""About 17 seconds a cell on two cores, two at a time: networks of 22 thousand parameters that beat bicubic."""

STANDARD: Changes = {"train.budget": Budget(50_000, "steps"), "train.schedule": "cosine", "train.amp": True}
"""The paper's network, a sixteenth of its training; for a GPU and a folder of training images."""

PAPER: Changes = {"train.budget": Budget(800_000, "steps")}
"""The paper's network and recipe: 1000 epochs of 800 images with 16 crops each, in batches of 16 (not stated there)."""

UNMEASURED = "not measured; needs a GPU and training images"
RATES_AROUND_THE_PAPERS = (2.5e-4, 5e-4, 1e-3)
"""The paper's learning rate, half and twice of it."""


def usual_profiles(
    small: tuple[Factor, ...] = (),
    quick: Changes | None = None,
    tiny: tuple[Factor, ...] | None = None,
    rates: tuple[float, ...] = (),
) -> dict[str, Profile]:
    """The four profiles; `small` factors replace those of the study in smoke and quick, `tiny` those of smoke alone.

    `quick` holds further changes of the quick profile (and of smoke, where they fit both). A study of kernels has
    `rates` to try in standard, so that each is judged at its own; quick has no time for that, and says so.
    """
    more = quick or {}
    return {
        "smoke": Profile({**SMOKE, **more}, 1, "about 3 s a cell on 2 cores", small if tiny is None else tiny),
        "quick": Profile({**QUICK, **more}, 2, "about 17 s a cell on 2 cores", small),
        "standard": Profile(STANDARD, 3, UNMEASURED, rates=rates),
        "paper": Profile(PAPER, 3, UNMEASURED),
    }


RECALL = RunSpec(
    ModelSpec(upscale=2, dim=32, depth=1, layers=("global",), kernel=KernelSpec("gaussian_rbf")),
    RecallSpec(batch_size=4),
    TrainSpec(Budget(4000, "steps"), learning_rate=3e-3, loss="mse", schedule="cosine", clip_norm=1.0, validations=10),
    CostSpec(latency_input=(64, 64), latency_runs=20),
)
"""The recall probe at its simplest: 2 to 16 pairs of flat glyphs in 16x16 LR pixels, 2 global layers of 32 channels.

Two layers and small batches, as kernels then begin to recall in seconds where four layers need minutes.
"""


def recall_profiles(
    quick: tuple[Factor, ...], tiny: tuple[Factor, ...], expected_time: str, seeds: int = 2
) -> dict[str, Profile]:
    """The profiles of a study of the recall probe; `quick` and `tiny` (smoke) replace its factors in theirs."""
    smoke = {"model.dim": 8, "model.depth": 1, "train.budget": Budget(4, "steps"), "train.validations": 2}
    cost = {"cost.latency_input": (16, 16), "cost.latency_runs": 3}
    return {
        "smoke": Profile({**smoke, **cost}, 1, "about a second a cell on 2 cores", tiny),
        "quick": Profile({}, seeds, expected_time, quick),
        "standard": Profile({}, 3, "not measured", rates=(1e-3, 3e-3, 1e-2)),
        "paper": Profile({"train.budget": Budget(10_000, "steps")}, 3, "not measured"),
    }
