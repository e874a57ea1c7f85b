"""What the default study's kernels recall after a few minutes: it tells apart what photographs at that budget cannot.

Question  Which kernels have begun to restore blanked glyphs from intact copies elsewhere in the image?
Source    Not in the paper. `recall` asks more, `recall_steps` trains longer, each kernel at its own rate.
Command   python studies/run_ablation.py recall_short; the default command runs it after `attention`.
Time      quick about four minutes on two cores (4 kernels, 3 seeds).
"""

from grla.spec import Budget, with_changes
from grla.study import RECALL, Study, recall_profiles, vary

BASE = with_changes(RECALL, {"data.num_pairs": (2, 4), "train.budget": Budget(2400, "steps")})
KERNELS = vary("kernel", "model.kernel", "softmax", "gaussian_rbf", "relu", "uniform")

STUDY = Study(
    question="Which kernels have begun to find, by content, what is missing here and stands elsewhere?",
    source="not in the paper",
    base=BASE,
    factors=(KERNELS,),
    margin=0.5,
    profiles=recall_profiles((), (), "about four minutes on 2 cores", seeds=3),
)
