"""Can a kernel find missing detail far away in the image, by content?

Question  Which kernels restore blanked glyphs from intact copies elsewhere in the image, and what does it depend on:
          number of pairs, size of the image, heads, cells that match nothing, keys with two values, texture above
          LR's Nyquist limit, distance, training?
Source    Not in the paper: photographs at a small budget cannot rank kernels (see docs/findings.md), this can.
Command   python studies/run_ablation.py recall
Time      quick three quarters of an hour on two cores: 7 kernels in 5 settings, 3 seeds.
"""

from grla.spec import Budget
from grla.study import RECALL, Changes, Claim, Factor, Study, better_than_base, recall_profiles, vary, worse_than_base

BASE: dict[str, Changes] = {"16x16": {}}
LARGE = {"data.patch_size": 32}  # four times the cells
SETTINGS: dict[str, Changes] = {
    **BASE,
    "4 layers": {"model.depth": 2},
    "32x32, up to 64 pairs": {**LARGE, "data.num_pairs": (2, 4, 8, 16, 32, 64)},
    "4 pairs only": {"data.num_pairs": (4,)},
    "2 heads": {"model.num_global_heads": 2},
    "4 heads": {"model.num_global_heads": 4},
    "16 channels": {"model.dim": 16},
    "a quarter of cells unrelated": {"data.distractors": 0.25, "data.num_pairs": (2, 4, 8)},
    "keys with an earlier value": {"data.overwritten": True, "data.num_pairs": (2, 4, 8)},
    "textured": {**LARGE, "data.glyph": 4, "data.texture": 0.4},
    "apart, with windows": {
        **LARGE,
        "data.apart": 8,
        "model.layers": ("window", "global"),
        "model.window_size": 8,
        "model.num_heads": 4,
    },
    "4 times the training": {"train.budget": Budget(16_000, "steps")},
}
QUICK_SETTINGS = ("16x16", "4 layers", "4 heads", "a quarter of cells unrelated", "keys with an earlier value")
KERNELS = (
    "gaussian_rbf softmax exact_rbf rbf_ridge random_features relu efficient elu taylor mala elementwise_rbf "
    "uniform none"
).split()

STUDY = Study(
    question="Which kernels find and restore, by content, what is missing here and stands elsewhere?",
    source="not in the paper",
    base=RECALL,
    design="panels",
    factors=(Factor("setting", SETTINGS), vary("kernel", "model.kernel", *KERNELS)),
    profiles=recall_profiles(
        quick=(
            Factor("setting", {name: SETTINGS[name] for name in QUICK_SETTINGS}),
            vary(
                "kernel", "model.kernel", *"gaussian_rbf softmax rbf_ridge random_features relu taylor uniform".split()
            ),
        ),
        tiny=(
            Factor("setting", {**BASE, "2 heads": {"model.num_global_heads": 2}}),
            vary("kernel", "model.kernel", "gaussian_rbf", "softmax", "rbf_ridge", "uniform"),
        ),
        expected_time="about three quarters of an hour on 2 cores",
        seeds=3,
    ),
)

CLAIMS = (
    Claim(
        "In the recall probe, at the budget of the study, GRBF attention is better than `uniform`",
        "not in the paper",
        worse_than_base(
            "kernel=uniform", words="supported if uniform is worse than GRBF; contradicted if it is better"
        ),
    ),
    Claim(
        "In the recall probe, at the budget of the study, rbf_ridge is better than GRBF",
        "not in the paper",
        better_than_base(
            "kernel=rbf_ridge", words="supported if rbf_ridge is better than GRBF; contradicted if it is worse"
        ),
    ),
)
