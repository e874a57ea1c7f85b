"""When does training diverge, and what prevents it?

Question  Networks of 1 to 12 blocks with norms in all places, in some and in none, at the usual learning rate and at
          four times that, alone, with a warm-up and with clipped gradients: which losses become NaN?
Source    The student implementation redscarfx/GRLA, which saw NaN losses with many blocks; GRLA paper, figure 4.
Command   python studies/run_ablation.py divergence --profile quick
Time      not measured; quick is estimated at an hour of two cores. Gradient norms of every block are in curves.csv and
          the figure `gradients`.
"""

from dataclasses import replace

from grla.spec import Budget
from grla.study import Factor, Study, usual_profiles, vary

NORMS = Factor(
    "norms",
    {
        "batch and pair": {},
        "layer and pair": {"model.norm": "layer"},
        "batch": {"model.pair_norm": False},
        "pair": {"model.norm": "none"},
        "none": {"model.norm": "none", "model.pair_norm": False},
    },
)


def recipes(rate: float) -> Factor:
    """The factor of a profile's recipe, and of others at this learning rate."""
    high = {"train.learning_rate": rate}
    return Factor(
        "recipe",
        {
            "usual rate": {},
            "4 times": high,
            "4 times, warm-up": {**high, "train.warmup": 100},
            "4 times, clipped": {**high, "train.clip_norm": 1.0},
        },
    )


USUAL = usual_profiles(
    small=(vary("depth", "model.depth", 1, 4, 8, 12), recipes(2e-2)),
    quick={"train.budget": Budget(300, "steps")},
    tiny=(
        vary("depth", "model.depth", 1, 2),
        Factor("norms", {"batch and pair": {}}),
        Factor("recipe", {"usual rate": {}, "clipped": {"train.clip_norm": 1.0}}),
    ),
)

STUDY = Study(
    question="When does training diverge with depth, norms and learning rate, and what prevents it?",
    source="the notes of redscarfx/GRLA on NaN losses; GRLA paper, figure 4",
    design="grid",
    factors=(vary("depth", "model.depth", 1, 4, 6, 12), NORMS, recipes(2e-3)),
    profiles={
        **USUAL,
        "quick": replace(USUAL["quick"], expected_time="not measured; up to a minute a cell on 2 cores"),
    },
)
