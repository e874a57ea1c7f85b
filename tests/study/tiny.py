"""A study small enough to run many times in a test: two kernels and two depths, a second a cell."""

from grla.spec import Budget
from grla.study.definition import Profile, Study, vary

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
                "model.upscale": 2,
                "model.dim": 8,
                "model.depth": 1,
                "model.window_size": 4,
                "model.num_heads": 2,
                "data.patch_size": 8,
                "data.batch_size": 2,
                "train.budget": Budget(6, "steps"),
                "train.validations": 3,
                "cost.latency_input": (8, 8),
                "cost.latency_runs": 2,
                "cost.count_output": (32, 32),
            },
            seeds=1,
            expected_time="seconds",
        )
    },
)
