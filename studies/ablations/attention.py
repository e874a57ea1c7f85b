"""Which attention is worth it in the linear layers of GRLASR: kernel, depth and norm, one at a time.

Question  Does the Gaussian-RBF kernel beat softmax, ReLU and two null hypotheses (`uniform`: plain averaging, `none`:
          no attention), and do kernels matter as much as depth and norm?
Source    GRLA paper: table 1 (kernels), figure 8 (depth), section 3 (batch norm in the local branch).
Command   python studies/run_ablation.py attention --profile quick
Time      smoke about a minute, quick about five minutes on two cores; standard and paper need a GPU and DIV2K.
"""

from grla.study import RATES_AROUND_THE_PAPERS, Study, usual_profiles, vary

STUDY = Study(
    question="Does the Gaussian-RBF kernel beat softmax, ReLU, averaging and no attention, next to depth and norm?",
    source="GRLA paper, table 1 (kernels), figure 8 (depth) and section 3 (norm)",
    factors=(
        vary("kernel", "model.kernel", "softmax", "gaussian_rbf", "relu", "uniform", "none"),
        vary("depth", "model.depth", 4, 5, 6, 7),
        vary("norm", "model.norm", "batch", "layer", "none"),
    ),
    profiles=usual_profiles(small=(vary("depth", "model.depth", 1, 2),), rates=RATES_AROUND_THE_PAPERS),
    beside="recall_short",
)
