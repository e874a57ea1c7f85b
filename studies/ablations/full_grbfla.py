"""Can linear attention replace the windows as well?

Question  GRBF in place of the window attention, at x2.
Source    GRLA paper, table 8: full GRBFLA 38.19 on Set5 x2, GRLA 38.33; 199.2 G against 213.5 G published "FLOPs".
Command   python studies/run_ablation.py full_grbfla --profile quick
Time      quick about 2 minutes on two cores.
"""

from grla.spec import ModelSpec, RunSpec
from grla.study import Claim, Factor, Study, usual_profiles, worse_than_base

STUDY = Study(
    question="Can linear attention replace the windows as well?",
    source="GRLA paper, table 8",
    base=RunSpec(ModelSpec(upscale=2)),
    factors=(Factor("layers", {"GRLA": {}, "full GRBFLA": {"model.layers": ("global", "global")}}),),
    profiles=usual_profiles(),
)

CLAIMS = (
    Claim(
        "Linear attention alone, without windows, is worse",
        "table 8: Set5 x2 38.19 against 38.33",
        worse_than_base("layers=full GRBFLA", words="supported if full GRBFLA is worse; contradicted if it is better"),
    ),
)
