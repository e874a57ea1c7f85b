"""Does recall matter on photographs?

Question  The kernels that recall earliest and best in the probe (softmax, `rbf_ridge`), one that begins as early and
          gets less far (`random_features`), and two that begin late or not (GRBF as the paper sets it, `uniform`),
          on photographs and for longer than the other studies train.
Source    Not in the paper; the same network as its table 1.
Command   python studies/run_ablation.py recall_photos --train-data DIR --test-data Set5 Set14
Time      quick about 30 minutes on two cores (3 seeds, 4000 steps a cell).
"""

from grla.spec import Budget
from grla.study import QUICK, RATES_AROUND_THE_PAPERS, Claim, Profile, Study, better_than_base, usual_profiles, vary

USUAL = usual_profiles(rates=RATES_AROUND_THE_PAPERS)
LONGER = {**QUICK, "train.budget": Budget(4000, "steps")}

STUDY = Study(
    question="Do kernels that recall early in the probe gain on photographs over others?",
    source="not in the paper",
    factors=(vary("kernel", "model.kernel", "gaussian_rbf", "softmax", "rbf_ridge", "random_features", "uniform"),),
    profiles={**USUAL, "quick": Profile(LONGER, 3, "about 3 minutes a cell on 2 cores")},
)

CLAIMS = (
    Claim(
        "On photographs rbf_ridge is better than GRBF",
        "not in the paper",
        better_than_base(
            "kernel=rbf_ridge", words="supported if rbf_ridge is better than GRBF; contradicted if it is worse"
        ),
    ),
)
