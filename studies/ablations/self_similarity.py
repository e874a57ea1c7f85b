"""Does a network use the copies of a texture that other places of the image hold?

Question  Brick, gravel, grass and text in four copies, displaced by fractions of an LR pixel: how much better is a
          patch restored among its copies ("copies dB") than among unrelated patches ("alone dB")? It lies between
          the recall probe and photographs.
Source    Not in the paper.
Command   python studies/run_ablation.py self_similarity
Time      quick about 20 minutes on two cores (4 kernels, 2 seeds, 600 steps).
"""

from grla.spec import Budget, SimilaritySpec, with_changes
from grla.study import RECALL, Profile, Study, recall_profiles, vary

FEWER = (vary("kernel", "model.kernel", "gaussian_rbf", "softmax", "rbf_ridge", "random_features", "uniform"),)
KERNELS = ("gaussian_rbf", "softmax", "rbf_ridge", "random_features", "relu", "taylor", "uniform", "none")

STUDY = Study(
    question="How much does a network gain from the copies of a texture elsewhere in the image?",
    source="not in the paper",
    base=with_changes(RECALL, {"model.depth": 2, "data": SimilaritySpec(), "train.loss": "l1"}),
    factors=(vary("kernel", "model.kernel", *KERNELS),),
    profiles={
        **recall_profiles(quick=(), tiny=(), expected_time=""),
        "quick": Profile({"train.budget": Budget(600, "steps")}, 2, "about 20 minutes on 2 cores", FEWER),
    },
)
