"""Which change lets a linear kernel recall within a small budget?

Question  GRBF attention as the paper sets it has not learned to recall after minutes. Do a larger gamma, fixed or
          learned, unnormalised queries or keys, the second Taylor order or the key weight change that, at linear cost?
Source    Not in the paper; its tables 2, 4 and 5 vary the same options on photographs.
Command   python studies/run_ablation.py recall_linear
Time      not measured (quick: 4 cells, one seed).
"""

from grla.spec import KernelSpec, with_changes
from grla.study import RECALL, Factor, Study, recall_profiles, vary

OPTION = "model.kernel.options"
BASE = KernelSpec("gaussian_rbf", {"gamma": 0.5, "qk_norm": "both", "taylor_order": 1, "key_weight": True})
FIXED = {str(gamma): {f"{OPTION}.gamma": gamma} for gamma in (0.5, 2, 8, 32, 64)}
WITH_PHI = {"with phi": {f"{OPTION}.key_weight": True}}
LEARNED = {"learned": {f"{OPTION}.gamma": 0.5, f"{OPTION}.learn_gamma": True}}

STUDY = Study(
    question="Which change lets GRBF attention recall within this budget?",
    source="not in the paper",
    base=with_changes(RECALL, {"model.kernel": BASE}),
    design="grid",
    factors=(
        Factor("gamma", FIXED | LEARNED),
        vary("qk_norm", f"{OPTION}.qk_norm", "both", "query", "none"),
        vary("taylor_order", f"{OPTION}.taylor_order", 1, 2),
        Factor("key_weight", WITH_PHI | {"without phi": {f"{OPTION}.key_weight": False}}),
    ),
    profiles=recall_profiles(
        quick=(
            Factor("gamma", {"0.5": FIXED["0.5"]} | LEARNED),
            vary("qk_norm", f"{OPTION}.qk_norm", "both", "none"),
            Factor("key_weight", WITH_PHI),
        ),
        tiny=(
            Factor("gamma", {"0.5": FIXED["0.5"]} | LEARNED),
            vary("qk_norm", f"{OPTION}.qk_norm", "both"),
            Factor("key_weight", WITH_PHI),
        ),
        expected_time="not measured",
        seeds=1,
    ),
)
