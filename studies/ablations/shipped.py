"""The network that ships with the project.

Question  How far does a GRLASR small enough for a laptop get in half an hour?
Source    Not in the paper; its network at 24 channels and 2 blocks, in batches of 4 LR patches of 24x24.
Command   python studies/run_ablation.py shipped --train-data DIR --test-data Set5 Set14
Time      quick about half an hour on two cores.
"""

from grla.spec import Budget
from grla.study import QUICK, Profile, Study, usual_profiles, vary

USUAL = usual_profiles()
SHIPPED = {
    **QUICK,
    "model.dim": 24,
    "model.depth": 2,
    "model.num_heads": 3,
    "data.patch_size": 24,
    "train.budget": Budget(15_000, "steps"),
    "train.learning_rate": 3e-3,
    "train.ema_decay": 0.999,
    "train.validations": 15,
}

STUDY = Study(
    question="How far does a GRLASR small enough for a laptop get in half an hour?",
    source="not in the paper",
    factors=(vary("kernel", "model.kernel", "gaussian_rbf"),),
    profiles={**USUAL, "quick": Profile(SHIPPED, 1, "about half an hour on two cores")},
)
