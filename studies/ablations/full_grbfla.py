"""Can linear attention replace the windows as well?

Question  GRBF in place of the window attention, at x2.
Source    GRLA paper, table 8: full GRBFLA 38.19 on Set5 x2, GRLA 38.33; 199.2 G against 213.5 G published "FLOPs".
Command   python studies/run_ablation.py full_grbfla --profile quick
Time      quick about 2 minutes on two cores.
"""

from grla.spec import ModelSpec, RunSpec
from grla.study import Factor, Study, usual_profiles

STUDY = Study(
    question="Can linear attention replace the windows as well?",
    source="GRLA paper, table 8",
    base=RunSpec(ModelSpec(upscale=2)),
    factors=(Factor("layers", {"GRLA": {}, "full GRBFLA": {"model.layers": ("global", "global")}}),),
    profiles=usual_profiles(),
)
