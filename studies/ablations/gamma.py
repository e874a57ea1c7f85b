"""How wide should the Gaussian be, and does a wide one diverge?

Question  The paper reports divergence at gamma 1 and 2/3 (times sqrt(d)). With normalised q and k no weight can become
          negative there, so the width is crossed with normalisation.
Source    GRLA paper, table 4: Urban100 26.94 at 1/2, 26.88 at 1/4, 26.87 at 1/8, 26.88 at 1/16; 1 and 2/3 diverge.
Command   python studies/run_ablation.py gamma --profile quick
Time      quick about 10 minutes on two cores.
"""

from grla.spec import KernelSpec, ModelSpec, RunSpec
from grla.study import Claim, Factor, Study, diverging, usual_profiles, vary, worse_than_base

WIDTHS = {"1": 1.0, "2/3": 2 / 3, "1/2": 0.5, "1/4": 0.25, "1/8": 0.125, "1/16": 0.0625}

STUDY = Study(
    question="How wide should the Gaussian be, and does a wide one diverge, with q and k normalised or not?",
    source="GRLA paper, table 4",
    base=RunSpec(ModelSpec(kernel=KernelSpec("gaussian_rbf", {"gamma": 0.5, "qk_norm": "both"}))),
    design="grid",
    factors=(
        Factor("gamma", {label: {"model.kernel.options.gamma": gamma} for label, gamma in WIDTHS.items()}),
        vary("qk_norm", "model.kernel.options.qk_norm", "both", "none"),
    ),
    profiles=usual_profiles(),
)

CLAIMS = (
    Claim(
        "gamma = 1/2 is best",
        "table 4: +0.06 dB on Urban100",
        worse_than_base(
            "gamma=1/4",
            "gamma=1/8",
            "gamma=1/16",
            words="supported if 1/4, 1/8 and 1/16 are all worse than 1/2; contradicted if one is better",
        ),
    ),
    Claim(
        "gamma = 1 and 2/3 diverge, with q and k normalised",
        "table 4",
        diverging(
            "gamma=1",
            "gamma=2/3",
            words="supported if all cells at 1 and 2/3 fail, none at 1/2; contradicted if none fails in profile paper",
        ),
    ),
    Claim(
        "gamma = 1 and 2/3 diverge, without normalisation",
        "table 4, read otherwise",
        diverging(
            "gamma=1, qk_norm=none",
            "gamma=2/3, qk_norm=none",
            control="qk_norm=none",
            words=(
                "supported if all cells at 1 and 2/3 fail and none at 1/2, all without normalisation; contradicted if "
                "none fails in profile paper"
            ),
        ),
    ),
)
