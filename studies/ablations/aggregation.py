"""Does dense aggregation of the blocks help?

Question  Blocks fed by all earlier ones, or by the last one only.
Source    GRLA paper, table 7: Set5 32.64 with, 32.63 without aggregation. (Its Manga109 column repeats Set14's.)
Command   python studies/run_ablation.py aggregation --profile quick
Time      quick about 3 minutes on two cores.
"""

from grla.study import Claim, Factor, Study, usual_profiles, worse_than_base

STUDY = Study(
    question="Does dense aggregation of the blocks help?",
    source="GRLA paper, table 7",
    factors=(Factor("aggregation", {"on": {"model.aggregation": True}, "off": {"model.aggregation": False}}),),
    profiles=usual_profiles(quick={"model.depth": 2}),
)

CLAIMS = (
    Claim(
        "Dense aggregation helps",
        "table 7: +0.01 dB on Set5",
        worse_than_base(
            "aggregation=off", words="supported if the network without it is worse; contradicted if it is better"
        ),
    ),
)
