"""Do the global layers help, and do they help larger windows as much as smaller ones?

Question  TLA on or off, with windows of 8 and 16. (Off removes the layer: the network is also smaller.)
Source    GRLA paper, table 6: Manga109 30.94 (w8 off), 31.32 (w8 on), 31.06 (w16 off), 31.49 dB (w16 on).
Command   python studies/run_ablation.py tla --profile quick
Time      quick about 3 minutes on two cores.
"""

from grla.study import Claim, Factor, Study, usual_profiles, vary, worse_than_base

STUDY = Study(
    question="Do global linear-attention layers help, with small and with large windows?",
    source="GRLA paper, table 6",
    design="grid",
    factors=(
        Factor("tla", {"on": {"model.layers": ("window", "global")}, "off": {"model.layers": ("window",)}}),
        vary("window", "model.window_size", 8, 16),
    ),
    profiles=usual_profiles(
        small=(vary("window", "model.window_size", 4, 8),), tiny=(vary("window", "model.window_size", 2, 4),)
    ),
)

CLAIMS = (
    Claim(
        "Global linear attention adds 0.4 dB",
        "table 6: Manga109 31.49 with, 31.06 without, windows of 16",
        worse_than_base(
            "tla=off",
            by=0.4,
            words=(
                "supported if the network without it is worse and a loss below 0.4 dB can be excluded; contradicted if "
                "one of 0.4 dB can"
            ),
        ),
    ),
)
