"""Which part of `rbf_ridge` makes it recall?

Question  Features of the Fourier kind, of Taylor's, or plain ones; shares of tokens or none; normalised or not; values
          averaged or solved for: which of these matters in the recall probe, with states of equal size?
Source    Not in the paper. `rbf_ridge` differs from GRBF attention in all four parts at once. Where it is normalised,
          rows of weights sum to one because features are centred, not because anything is divided by a sum.
Command   python studies/run_ablation.py readout_parts
Time      quick 72 minutes of two cores that had other work as well: 24 variants, 3 seeds, 4000 steps; with
          --match macs at equal multiply-adds instead of equal widths, two hours and a quarter on an older processor.
          Whole kernels on the same images after as many steps: `recall_steps`.
"""

from grla.spec import Budget, KernelSpec, OptionValue, with_changes
from grla.study import RECALL, Factor, Profile, Study, vary

OPTION = "model.kernel.options"
PARTS: dict[str, OptionValue] = {
    "features": "fourier",
    "share": True,
    "normalised": True,
    "solved": True,
    "num_features": 32,
}
BASE = with_changes(
    RECALL,
    {
        "model.kernel": KernelSpec("readout", PARTS),
        "train.budget": Budget(4000, "steps"),
        "train.schedule": "stable",
        "train.warmup": 100,
        "train.validations": 20,
        # Test images that no kernel was designed on.
        "data.stream": 1,
    },
)
QUICK = Profile({}, 3, "72 minutes on 2 cores with other work")
STANDARD = Profile({}, 3, "not measured", rates=(1e-3, 3e-3, 1e-2))


def switch(part: str, on: str, off: str) -> Factor:
    """The factor of a part that is there or not."""
    return Factor(part, {on: {f"{OPTION}.{part}": True}, off: {f"{OPTION}.{part}": False}})


STUDY = Study(
    question="Which part of rbf_ridge makes it recall: features, shares of tokens, normalisation, or solving?",
    source="not in the paper",
    base=BASE,
    design="grid",
    factors=(
        vary("features", f"{OPTION}.features", "fourier", "taylor", "plain"),
        switch("share", "shares", "no shares"),
        switch("normalised", "normalised", "not normalised"),
        switch("solved", "solved", "averaged"),
    ),
    margin=0.5,
    threshold=25.0,
    profiles={
        "smoke": Profile(
            {
                "model.dim": 8,
                "model.depth": 1,
                "train.budget": Budget(10, "steps"),
                "train.warmup": 2,
                "train.validations": 5,
                "cost.latency_runs": 3,
            },
            1,
            "about 3 s a cell on 2 cores",
            (
                vary("features", f"{OPTION}.features", "fourier"),
                Factor("share", {"shares": {f"{OPTION}.share": True}}),
                Factor("normalised", {"normalised": {f"{OPTION}.normalised": True}}),
            ),
        ),
        "quick": QUICK,
        "standard": STANDARD,
        "paper": STANDARD,
    },
)
