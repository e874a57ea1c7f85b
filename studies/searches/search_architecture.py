"""Which small GRLASR gives the best validation PSNR-Y for its multiply-adds?

Question  Kernel and its options, width, depth, heads, windows, feed-forward and norm, all at once: what lies on the
          front of PSNR-Y against MACs, and is a small version of the paper's recipe on it?
Source    Not in the paper, which varies one thing at a time: tables 1, 4, 5 and 7, figures 7 and 8.
Command   python studies/run_tuning.py search_architecture --profile quick
Time      smoke some 15 seconds, quick under 15 minutes on two cores; standard needs a GPU and training images.
"""

from grla.spec import Budget, KernelSpec, ModelSpec, RunSpec
from grla.study import QUICK, SMOKE, STANDARD, UNMEASURED, Choice, Float, Int, Limit, Search, SearchProfile, When

GRBF = When("kernel", ("gaussian_rbf",))
OPTIONS = "model.kernel.options"

# Steps and choices are such that any number of heads divides any width.
SMALL = (
    Int("dim", "model.dim", 8, 32, step=8),
    Int("depth", "model.depth", 1, 3),
    Choice("heads", "model.num_heads", (1, 2, 4)),
    Int("window", "model.window_size", 4, 16, step=4),
)
SMALL_LIMITS = (Limit("macs", 5e9),)

SEARCH = Search(
    question="Which small GRLASR gives the best validation PSNR-Y for its multiply-adds?",
    source="not in the paper; what its tables 1, 4, 5 and 7 and figures 7 and 8 vary one at a time",
    base=RunSpec(ModelSpec(kernel=KernelSpec("gaussian_rbf", {"gamma": 0.5, "taylor_order": 1, "qk_norm": "both"}))),
    parameters=(
        Choice("kernel", "model.kernel", ("gaussian_rbf", "rbf_ridge", "relu", "taylor", "uniform", "none")),
        Float("gamma", f"{OPTIONS}.gamma", 0.05, 1.0, log=True, when=GRBF),
        Choice("taylor_order", f"{OPTIONS}.taylor_order", (1, 2), when=GRBF),
        Choice("qk_norm", f"{OPTIONS}.qk_norm", ("both", "query", "none"), when=GRBF),
        Int("dim", "model.dim", 20, 80, step=5),
        Int("depth", "model.depth", 2, 10),
        Choice("heads", "model.num_heads", (1, 5)),
        Int("window", "model.window_size", 8, 16, step=4),
        Float("mlp_ratio", "model.mlp_ratio", 1.0, 4.0),
        Choice("norm", "model.norm", ("batch", "layer", "none")),
    ),
    limits=(Limit("macs", 100e9),),
    minimise=("macs",),
    profiles={
        "smoke": SearchProfile(SMOKE, 4, "some 15 seconds on 2 cores", SMALL, SMALL_LIMITS),
        "quick": SearchProfile(
            {**QUICK, "train.budget": Budget(500, "steps")}, 30, "under 15 minutes on 2 cores", SMALL, SMALL_LIMITS
        ),
        "standard": SearchProfile(STANDARD, 100, UNMEASURED),
    },
)
