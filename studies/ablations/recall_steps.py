"""When does each kernel learn to recall, and how far does it get?

Question  After how many steps, each at its own learning rate, does a kernel restore blanked glyphs from intact copies,
          and does it still get better by then?
Source    Not in the paper. What the study `recall` shows is bound to one budget and one rate.
Command   python studies/run_ablation.py recall_steps
Time      quick not measured since rates are tried for half of the steps, as some kernels begin to recall after 4000
          only; an hour of two cores with a quarter: 11 kernels, 3 seeds, 16,000 steps. Shorter budgets branch off from
          the same training, and cost a fifth of their steps.
"""

from dataclasses import replace

from grla.spec import Budget, with_changes
from grla.study import RECALL, Factor, Profile, Study, vary

STEPS = (2000, 4000, 8000, 16_000)
BASE = with_changes(
    RECALL,
    {
        "train.budget": Budget(STEPS[-1], "steps"),
        "train.schedule": "stable",
        "train.warmup": 100,
        "train.validations": 40,
        # Test images that no kernel was designed on.
        "data.stream": 1,
    },
)
GAIN = {"model.kernel": "gaussian_rbf", "model.kernel.options.gain": True}
KERNELS = Factor(
    "kernel",
    {name: {"model.kernel": name} for name in ("gaussian_rbf", "softmax", "taylor", "relu", "random_features")}
    | {"gaussian_rbf with gain": GAIN}
    | {name: {"model.kernel": name} for name in ("rbf_ridge", "mesa", "focused", "inline", "uniform")},
)


def budgets(*steps: int) -> Factor:
    """The factor of these budgets, one of which is the base's."""
    return Factor("steps", {str(number): {"train.budget": Budget(number, "steps")} for number in steps})


QUICK = Profile({}, 3, "not measured; estimated at 1.5 hours", rates=(1e-3, 3e-3, 1e-2), rate_share=0.5)

STUDY = Study(
    question="When does each kernel learn to recall, at its own learning rate, and how far does it get?",
    source="not in the paper",
    base=BASE,
    design="panels",
    factors=(budgets(*STEPS), KERNELS),
    margin=0.5,
    threshold=25.0,
    profiles={
        "smoke": Profile(
            {
                "model.dim": 8,
                "model.depth": 1,
                "train.budget": Budget(20, "steps"),
                "train.warmup": 2,
                "train.validations": 5,
                "cost.latency_runs": 3,
            },
            1,
            "about 3 s a cell on 2 cores",
            (budgets(10, 20), vary("kernel", "model.kernel", "gaussian_rbf", "softmax")),
        ),
        "quick": QUICK,
        "standard": replace(QUICK, seeds=5, expected_time="not measured"),
        "paper": replace(QUICK, seeds=5, expected_time="not measured"),
    },
)
