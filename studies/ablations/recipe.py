"""Which part of a training recipe is worth it at a small budget?

Question  Warm-up, Adam's second beta, weights that decay, their average (with a ramp or without), the loss, patches or
          batches that grow (over equally many pixels), BatchNorm statistics frozen for the last tenth: each alone,
          around the recipe of the other studies.
Source    Not in the paper, whose A.1 has none of them. Charbonnier: LapSRN (2017); L1 with Fourier transform: SAFMN
          (2023); AdamW and growing patches: Restormer (2022); betas of (0.9, 0.99) and an average: BasicSR's recipes.
Command   python studies/run_ablation.py recipe --profile quick
Time      not measured; quick is estimated at 4 minutes of two cores.
"""

from dataclasses import replace

from grla.study import Factor, Study, usual_profiles, vary


def recipe(steps: int, patch_size: int, patches: tuple[int, int], batch_size: int) -> tuple[Factor, ...]:
    """The factors around `steps` steps of patches of one size; `patches` are a smaller and a larger one to grow by."""
    small, large = patches
    # Where patches must grow for as many pixels as with one size; batches, from half to twice the size, at two thirds.
    grow, double = round(steps * (large**2 - patch_size**2) / (large**2 - small**2)), round(steps * 2 / 3)
    average = {"train.ema_decay": 0.999}
    growing_patches = {"data.patch_size": small, "data.stages": ((grow, large, batch_size),)}
    growing_batches = {"data.batch_size": batch_size // 2, "data.stages": ((double, patch_size, 2 * batch_size),)}
    return (
        Factor("warmup", {"none": {}, "a twentieth": {"train.warmup": max(1, steps // 20)}}),
        Factor("betas", {"0.9 and 0.999": {}, "0.9 and 0.99": {"train.betas": (0.9, 0.99)}}),
        Factor("optimiser", {"Adam": {}, "AdamW": {"train.weight_decay": 0.01}}),
        Factor("average", {"none": {}, "0.999": average, "0.999 with ramp": {**average, "train.ema_ramp": True}}),
        vary("loss", "train.loss", "l1", "charbonnier", "l1_fft"),
        Factor("patches", {"one size": {}, "growing": growing_patches}),
        Factor("batches", {"one size": {}, "growing": growing_batches}),
        Factor("statistics", {"of each batch": {}, "frozen for a tenth": {"train.norm_frozen": 0.1}}),
    )


USUAL = usual_profiles(small=recipe(800, 24, (16, 32), 4), tiny=recipe(4, 8, (4, 12), 2))

STUDY = Study(
    question="Which part of a training recipe is worth it at a small budget?",
    source="not in the paper",
    factors=recipe(800_000, 64, (32, 96), 16),
    profiles={**USUAL, "standard": replace(USUAL["standard"], factors=recipe(50_000, 64, (32, 96), 16))},
)
