"""A study small enough to run many times in a test: two kernels and two depths, a second a cell."""

from grla.spec import Budget
from grla.study import SMOKE, Profile, Study, vary

STUDY = Study(
    question="Does it run?",
    source="none, a test",
    factors=(
        vary("kernel", "model.kernel", "gaussian_rbf", "relu"),
        vary("depth", "model.depth", 1, 2),
    ),
    profiles={
        "smoke": Profile(
            {
                **SMOKE,
                "model.upscale": 2,
                "train.budget": Budget(6, "steps"),
                "train.validations": 3,
                "cost.latency_input": (8, 8),
                "cost.count_output": (32, 32),
            },
            seeds=1,
            expected_time="seconds",
        )
    },
)
