"""Do kernels differ on photographs once the network is of middle size?

Question  In networks of 32 channels and 3 blocks, each kernel at its own learning rate, trained on 20 million LR
          pixels: which of the differences that the paper reports at 55 channels and 6 blocks can be seen, and does any
          layer look at content at all (`run_interventions.py`)?
Source    GRLA paper, table 1.
Command   python studies/run_ablation.py middle --train-data DIR --test-data Set5 Set14 BSD100
Time      not measured; quick is estimated at four hours of two cores (8 kernels, 3 seeds, and a quarter of a cell for
          each of 3 rates).
"""

from grla.spec import Budget
from grla.study import QUICK, RATES_AROUND_THE_PAPERS, Changes, Profile, Study, usual_profiles, vary

USUAL = usual_profiles(rates=RATES_AROUND_THE_PAPERS)
MIDDLE: Changes = {
    **QUICK,
    "model.dim": 32,
    "model.depth": 3,
    "model.window_size": 16,
    "model.num_heads": 4,
    "data.patch_size": 48,
    "train.budget": Budget(2200, "steps"),
    "train.learning_rate": 2e-3,
    "train.schedule": "stable",
    "train.warmup": 100,
    "train.validations": 10,
}

STUDY = Study(
    question="Do kernels differ on photographs once the network is of middle size?",
    source="GRLA paper, table 1",
    factors=(
        vary(
            "kernel",
            "model.kernel",
            *("gaussian_rbf", "softmax", "relu", "rbf_ridge", "random_features", "mesa", "uniform", "none"),
        ),
    ),
    profiles={
        **USUAL,
        "quick": Profile(
            MIDDLE, 3, "not measured; estimated at 15 minutes a cell on 2 cores", rates=(1e-3, 2e-3, 4e-3)
        ),
    },
)
