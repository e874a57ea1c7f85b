"""Is the second Taylor order worth its cost?

Question  First against second order of the expansion of exp in GRBF.
Source    GRLA paper, table 5: second order 26.90 on Urban100 at 13266 MB of training memory, first 26.94 at 12144 MB.
Command   python studies/run_ablation.py taylor_order --profile quick
Time      quick about 2 minutes on two cores.
"""

from grla.spec import KernelSpec, ModelSpec, RunSpec
from grla.study import Claim, Study, no_better_than_base, usual_profiles, vary

STUDY = Study(
    question="Is the second order of the Taylor expansion worth its cost?",
    source="GRLA paper, table 5",
    base=RunSpec(ModelSpec(kernel=KernelSpec("gaussian_rbf", {"taylor_order": 1}))),
    factors=(vary("taylor_order", "model.kernel.options.taylor_order", 1, 2),),
    profiles=usual_profiles(),
)

CLAIMS = (
    Claim(
        "The second Taylor order is no better",
        "table 5: 26.90 against 26.94 dB on Urban100",
        no_better_than_base(
            "taylor_order=2", words="supported if a gain of 0.05 dB can be excluded; contradicted if it is better"
        ),
    ),
)
