"""A search small enough to run many times in a test: a second a trial, with every kind of parameter."""

from grla.spec import Budget, KernelSpec, ModelSpec, RunSpec
from grla.study import SMOKE, Choice, Float, Int, Limit, Search, SearchProfile, When

TINY = {
    **SMOKE,
    "model.upscale": 2,
    "train.budget": Budget(6, "steps"),
    "train.validations": 3,
    "cost.latency_input": (8, 8),
    "cost.count_output": (32, 32),
}

SEARCH = Search(
    question="Does it search?",
    source="none, a test",
    base=RunSpec(ModelSpec(kernel=KernelSpec("gaussian_rbf", {"gamma": 0.5}))),
    parameters=(
        Choice("kernel", "model.kernel", ("gaussian_rbf", "relu", "none")),
        Float("gamma", "model.kernel.options.gamma", 0.1, 1.0, log=True, when=When("kernel", ("gaussian_rbf",))),
        Int("dim", "model.dim", 4, 8, step=4),
        Float("learning_rate", "train.learning_rate", 1e-4, 1e-2, log=True),
    ),
    limits=(Limit("num_params", 100_000),),
    minimise=("macs",),
    profiles={"smoke": SearchProfile(TINY, 3, "seconds")},
)
