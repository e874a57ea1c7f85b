"""Does the key weight phi(K) matter, and with which normalisation?

Question  The paper says training without phi(K) diverges. With normalised keys phi is a constant and cancels, so
          whether it can matter depends on which of q and k are normalised: both are varied.
Source    GRLA paper, table 2: without phi(K) training diverges; with it Set5 32.64, Set14 28.89, BSD100 27.78 dB.
Command   python studies/run_ablation.py key_term --profile quick
Time      quick about 6 minutes on two cores.
"""

from grla.spec import KernelSpec, ModelSpec, RunSpec
from grla.study import Claim, Factor, Study, diverging, usual_profiles, vary

STUDY = Study(
    question="Does the key weight phi(K) matter, with q and k normalised or not?",
    source="GRLA paper, table 2",
    base=RunSpec(ModelSpec(kernel=KernelSpec("gaussian_rbf", {"qk_norm": "both", "key_weight": True}))),
    design="grid",
    factors=(
        Factor(
            "key_weight",
            {
                "with phi": {"model.kernel.options.key_weight": True},
                "without phi": {"model.kernel.options.key_weight": False},
            },
        ),
        vary("qk_norm", "model.kernel.options.qk_norm", "both", "query", "none"),
    ),
    profiles=usual_profiles(),
)

CLAIMS = (
    Claim(
        "Training without phi(K) diverges",
        "table 2",
        diverging(
            "key_weight=without phi, qk_norm=none",
            control="qk_norm=none",
            words=(
                "supported if all cells without phi fail and none with it (unnormalised q and k, where phi is not a "
                "constant); contradicted if none fails in profile paper"
            ),
        ),
    ),
)
