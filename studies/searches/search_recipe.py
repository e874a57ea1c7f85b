"""Which training recipe makes the most of a given training time?

Question  Learning rate, batch, patch, schedule, loss and norm, for equal minutes of training of the paper's network:
          do large batches and patches pay off?
Source    GRLA paper, A.1: Adam at 5e-4, halved every 200 epochs, patches of 64x64; batch size and loss are not stated.
Command   python studies/run_tuning.py search_recipe --profile quick
Time      smoke some 15 seconds, quick under 15 minutes on two cores; standard needs a GPU and training images.
"""

from grla.spec import Budget
from grla.study import QUICK, SMOKE, STANDARD, UNMEASURED, Choice, Float, Int, Search, SearchProfile

SMALL = (
    Float("learning_rate", "train.learning_rate", 5e-4, 5e-2, log=True),
    Choice("batch", "data.batch_size", (2, 4, 8, 16)),
    Int("patch", "data.patch_size", 8, 48, step=8),
)

SEARCH = Search(
    question="Which training recipe makes the most of a given training time?",
    source="GRLA paper, A.1 (Adam at 5e-4 with halvings, patches of 64x64; batch size and loss are not stated)",
    parameters=(
        Float("learning_rate", "train.learning_rate", 5e-5, 5e-3, log=True),
        Choice("batch", "data.batch_size", (4, 8, 16, 32)),
        Int("patch", "data.patch_size", 32, 96, step=16),
        Choice("schedule", "train.schedule", ("cosine", "halving")),
        Choice("loss", "train.loss", ("l1", "mse")),
        Choice("norm", "model.norm", ("batch", "layer", "none")),
    ),
    profiles={
        "smoke": SearchProfile(SMOKE, 4, "some 15 seconds on 2 cores", SMALL),
        "quick": SearchProfile(
            {**QUICK, "train.budget": Budget(0.35, "min")}, 30, "under 15 minutes on 2 cores", SMALL
        ),
        "standard": SearchProfile({**STANDARD, "train.budget": Budget(60, "min")}, 60, UNMEASURED),
    },
)
