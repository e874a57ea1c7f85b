"""Which kernel is best in the linear layers: all that the paper compares, later ones, ours, and two null hypotheses.

Question  Does GRBF beat the other linear attentions, and do they beat averaging (`uniform`) and no attention (`none`)?
Source    GRLA paper, table 1: x4 Urban100 PSNR efficient 26.83, Taylor 26.88, ReLU 26.87, MALA 26.85, GRBF 26.94.
Command   python studies/run_ablation.py kernels --profile quick
Time      quick about 10 minutes on two cores.
"""

from grla.study import RATES_AROUND_THE_PAPERS, Claim, Study, usual_profiles, vary, worse_than_base

STUDY = Study(
    question="Which attention kernel is best in the linear layers, and does any beat plain averaging or nothing?",
    source="GRLA paper, table 1",
    factors=(
        vary(
            "kernel",
            "model.kernel",
            *("gaussian_rbf", "efficient", "taylor", "relu", "mala", "elu", "elementwise_rbf"),
            *("rbf_ridge", "random_features", "focused", "inline", "polaformer", "agent", "mesa"),
            *("softmax", "exact_rbf", "uniform", "none"),
        ),
    ),
    profiles=usual_profiles(rates=RATES_AROUND_THE_PAPERS),
)

CLAIMS = (
    Claim(
        "GRBF beats the other linear attentions",
        "table 1: +0.06 dB or more on Urban100",
        worse_than_base(
            "kernel=efficient",
            "kernel=taylor",
            "kernel=relu",
            "kernel=mala",
            words=(
                "supported if efficient, taylor, relu and mala are all worse than GRBF; contradicted if one is better"
            ),
        ),
    ),
    Claim(
        "GRBF attention is better than plain averaging and than none (implied)",
        "not tested in the paper",
        worse_than_base(
            "kernel=uniform",
            "kernel=none",
            words="supported if uniform and none are both worse than GRBF; contradicted if one is better",
        ),
    ),
)
