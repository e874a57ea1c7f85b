"""Does linear attention gain or lose from seeing more tokens in testing than in training?

Question  Whole test images (many tokens), or tiles as large as the training patch (as many as in training).
Source    Not in the paper: it trains on 64x64 patches and tests on whole images.
Command   python studies/run_ablation.py span --profile quick
Time      quick about 7 minutes on two cores.
"""

from grla.study import Factor, Study, usual_profiles, vary


def spans(patch: int) -> Factor:
    """Whole images, or tiles of the training patch's size."""
    return Factor("span", {"whole image": {"data.test_tile": None}, f"tiles of {patch}": {"data.test_tile": patch}})


STUDY = Study(
    question="Does attention gain or lose by seeing more tokens at test time than in training?",
    source="not in the paper",
    design="grid",
    factors=(vary("kernel", "model.kernel", "gaussian_rbf", "softmax", "relu", "uniform"), spans(64)),
    profiles=usual_profiles(small=(spans(24),), tiny=(spans(8),)),
)
