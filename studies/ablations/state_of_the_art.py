"""GRLASR at x2, x3 and x4 beside bicubic and a convolution-only network.

Question  How far does the whole network get at each upscale factor? Add a row of your own with
          {"model": OutsideSpec("package.module:factory")}.
Source    GRLA paper, table 3: x4 Set5 32.64, Set14 28.89, BSD100 27.78, Urban100 26.94, Manga109 31.49 dB.
Command   python studies/run_ablation.py state_of_the_art --profile quick
Time      quick about 5 minutes on two cores.
"""

from grla.spec import EdsrLiteSpec
from grla.study import Factor, Study, usual_profiles

UPSCALE = Factor("upscale", {f"x{factor}": {"model.upscale": factor} for factor in (2, 3, 4)})
SMALL = (Factor("model", {"GRLA": {}, "EDSR-lite": {"model": EdsrLiteSpec(channels=16, blocks=3)}}),)

STUDY = Study(
    question="How far does GRLASR get at x2, x3 and x4, beside bicubic and a convolution-only network?",
    source="GRLA paper, table 3",
    design="panels",
    factors=(UPSCALE, Factor("model", {"GRLA": {}, "EDSR-lite": {"model": EdsrLiteSpec()}})),
    profiles=usual_profiles(small=SMALL),
)
