"""How many channels?

Question  Quality and cost against the width of the network.
Source    GRLA paper, figure 7: 45/50/55/60/65 channels, Manga109 about 31.25/31.36/31.49/31.48/31.48 dB.
Command   python studies/run_ablation.py channels --profile quick
Time      quick about 5 minutes on two cores.
"""

from grla.study import Claim, Study, no_better_than_base, usual_profiles, vary

STUDY = Study(
    question="How many channels are worth it?",
    source="GRLA paper, figure 7",
    factors=(vary("channels", "model.dim", 45, 50, 55, 60, 65),),
    profiles=usual_profiles(
        small=(vary("channels", "model.dim", 8, 12, 16, 20, 24),), tiny=(vary("channels", "model.dim", 4, 8, 12),)
    ),
)

CLAIMS = (
    Claim(
        "More than 55 channels bring nothing",
        "figure 7",
        no_better_than_base(
            "channels=60",
            "channels=65",
            words="supported if for 60 and 65 a gain of 0.05 dB can be excluded; contradicted if one is better",
        ),
        small=no_better_than_base(
            "channels=20",
            "channels=24",
            words="for 20 and 24 against 16 a gain of 0.05 dB can be excluded; contradicted if one is better",
        ),
    ),
)
