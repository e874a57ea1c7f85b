"""Which attention is worth it in the linear layers of GRLASR: kernel, depth and norm, one at a time.

Question  Does the Gaussian-RBF kernel beat softmax, ReLU and two null hypotheses (`uniform`: plain averaging, `none`:
          no attention), and is that difference as large as what depth or the norm do?
Source    GRLA paper: table 1 (kernels), figure 8 (depth), section 3 (batch norm in the local branch).
Command   python studies/run_ablation.py attention --profile quick
Time      smoke about a minute, quick under ten minutes on two cores; standard and paper need a GPU and DIV2K.
"""

from grla.spec import Budget
from grla.study.definition import Profile, Study, vary

TINY = {
    "model.dim": 8,
    "model.depth": 1,
    "model.window_size": 4,
    "model.num_heads": 2,
    "data.patch_size": 8,
    "data.batch_size": 2,
    "train.budget": Budget(10, "steps"),
    "train.validations": 2,
    "cost.latency_input": (16, 16),
    "cost.latency_runs": 3,
}
SMALL = {
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
SMALL_DEPTHS = (vary("depth", "model.depth", 1, 2),)

STUDY = Study(
    question="Does the Gaussian-RBF kernel beat softmax, ReLU, averaging and no attention, next to depth and norm?",
    source="GRLA paper, table 1 (kernels), figure 8 (depth) and section 3 (norm)",
    factors=(
        vary("kernel", "model.kernel", "softmax", "gaussian_rbf", "relu", "uniform", "none"),
        vary("depth", "model.depth", 4, 5, 6, 7),
        vary("norm", "model.norm", "batch", "layer", "none"),
    ),
    profiles={
        "smoke": Profile(TINY, seeds=1, expected_time="about 1 minute on 2 cores", factors=SMALL_DEPTHS),
        "quick": Profile(SMALL, seeds=2, expected_time="under 10 minutes on 2 cores", factors=SMALL_DEPTHS),
        "standard": Profile(
            {"train.budget": Budget(50_000, "steps"), "train.schedule": "cosine", "train.amp": True},
            seeds=3,
            expected_time="not measured; needs a GPU and --train-data",
        ),
        "paper": Profile(
            {"train.budget": Budget(800_000, "steps")},
            seeds=3,
            expected_time="not measured; needs a GPU and --train-data",
        ),
    },
)
