"""Does the design scale up?

Question  GRLA against GRLA-L, three times as wide.
Source    GRLA paper, table 9: GRLA-L (7.6 M parameters) Urban100 27.20, Manga109 31.72 dB; GRLA 26.94 and 31.49.
Command   python studies/run_ablation.py large --profile quick
Time      quick about 2 minutes on two cores.
"""

from grla.study import Claim, Factor, Study, better_than_base, usual_profiles

STUDY = Study(
    question="Does the design scale up?",
    source="GRLA paper, table 9",
    factors=(Factor("size", {"GRLA": {}, "GRLA-L": {"model.dim": 165}}),),
    profiles=usual_profiles(
        small=(Factor("size", {"GRLA": {}, "GRLA-L": {"model.dim": 48}}),),
        tiny=(Factor("size", {"GRLA": {}, "GRLA-L": {"model.dim": 24}}),),
    ),
)

CLAIMS = (
    Claim(
        "The design scales: GRLA-L is better",
        "table 9: +0.26 dB on Urban100",
        better_than_base("size=GRLA-L", words="supported if GRLA-L is better; contradicted if it is worse"),
    ),
)
