"""How many blocks?

Question  Quality and cost against the number of Multilayer Polymerization Blocks.
Source    GRLA paper, figure 8: 4/5/6/7 blocks, Urban100 about 26.69/26.83/26.94/26.97 dB.
Command   python studies/run_ablation.py depth --profile quick
Time      quick about 5 minutes on two cores.
"""

from grla.study import Claim, Study, better_than_base, usual_profiles, vary, worse_than_base

STUDY = Study(
    question="How many blocks are worth it?",
    source="GRLA paper, figure 8",
    factors=(vary("depth", "model.depth", 4, 5, 6, 7),),
    profiles=usual_profiles(small=(vary("depth", "model.depth", 1, 2, 3),)),
)

CLAIMS = (
    Claim(
        "Six blocks beat four and five",
        "figure 8",
        worse_than_base(
            "depth=4", "depth=5", words="supported if 4 and 5 are both worse than 6; contradicted if one is better"
        ),
        small=better_than_base(
            "depth=2", "depth=3", words="2 and 3 blocks are both better than 1; contradicted if one is worse"
        ),
    ),
)
