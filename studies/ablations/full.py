"""The network of the paper, trained in full.

Question  Which PSNR does it reach at x4 (GRBF attention, 55 channels, 6 blocks)? `quick` is the pilot: learning rates
          and patch sizes, over equally many pixels. `standard` trains one network on 302 Mpixel of LR.
Source    GRLA paper, table 3: x4 Set5 32.64, Set14 28.89, BSD100 27.78 dB.
Command   python studies/run_ablation.py full --profile quick --train-data DIR --test-data Set5 Set14 BSD100
          With --profile standard --budget 32800steps a network goes on where 16400 steps left their rate; with
          --init-from WEIGHTS and --base FILE another stage starts from what the last one learnt.
Time      not measured as a whole; of standard `--budget 1640steps` (30 Mpixel) took 81 minutes of two cores of an
          older EPYC with other work beside, quick has six cells of 35 Mpixel; paper needs a GPU.
"""

from dataclasses import replace

from grla.spec import Budget
from grla.study import RATE, SMOKE, Changes, Factor, Profile, Study, usual_profiles, vary

RECIPE: Changes = {
    "data.patch_size": 48,
    "data.batch_size": 8,
    "train.learning_rate": 1e-3,
    "train.schedule": "stable",
    "train.betas": (0.9, 0.99),
    "train.warmup": 100,
}
PILOT: Changes = {**RECIPE, "train.budget": Budget(1900, "steps"), "train.validations": 10}
LONG: Changes = {**RECIPE, "train.budget": Budget(16_400, "steps")}
TINY: Changes = {**SMOKE, "train.schedule": "stable", "train.budget": Budget(10, "steps"), "train.validations": 5}


# Of a single run, whatever --base changes in it.
ONE = (Factor("rate", {"as given": {}}), Factor("patch", {"as given": {}}))


def patches(*sizes: tuple[int, int]) -> Factor:
    """Patch sizes, each with the batch size that goes with it."""
    return Factor("patch", {str(side): {"data.patch_size": side, "data.batch_size": number} for side, number in sizes})


STUDY = Study(
    question="Which PSNR does the network of the paper reach, and at which learning rate and patch size?",
    source="GRLA paper, table 3",
    design="grid",
    # 18 patches of 32x32 have as many pixels as 8 of 48x48.
    factors=(vary("rate", RATE, 5e-4, 1e-3, 2e-3), patches((32, 18), (48, 8))),
    profiles={
        "smoke": Profile(TINY, 1, "about 3 s a cell on 2 cores", (vary("rate", RATE, 5e-4, 1e-3), patches((8, 2)))),
        "quick": Profile(PILOT, 1, "not measured; estimated at an hour a cell on 2 cores"),
        "standard": Profile(LONG, 1, "not measured; estimated at 9 hours on 2 cores", ONE),
        "paper": replace(usual_profiles()["paper"], seeds=1, factors=ONE),
    },
)
