"""Which norms does the network need, and which keep it from diverging?

Question  BatchNorm, LayerNorm or none in the local branch, with and without the LayerNorm before each pair; gradient
          norms per block are in curves.csv, TensorBoard and the figure `gradients`.
Source    GRLA paper, figure 4; the student implementation redscarfx/GRLA, which saw NaN losses with many blocks.
Command   python studies/run_ablation.py norms --profile quick
Time      quick about 12 minutes on two cores (3 blocks).
"""

from grla.study import Factor, Study, usual_profiles, vary

STUDY = Study(
    question="Which norms does the network need, and which keep it from diverging?",
    source="GRLA paper, figure 4, and the notes of redscarfx/GRLA on NaN losses",
    design="grid",
    factors=(
        vary("norm", "model.norm", "batch", "layer", "none"),
        Factor("pair_norm", {"on": {"model.pair_norm": True}, "off": {"model.pair_norm": False}}),
    ),
    profiles=usual_profiles(quick={"model.depth": 3}),
)
