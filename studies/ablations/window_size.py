"""Are windows in place of linear attention as good, and what do they cost in training?

Question  Window attention of 8 to 16 in all layers, against GRLA: quality, training memory, seconds per 1000 steps.
Source    GRLA paper, table 11: Urban100 26.62/26.69/26.90/26.87/26.89 for windows 8/10/12/14/16, GRLA 26.94.
Command   python studies/run_ablation.py window_size --profile quick
Time      quick about 5 minutes on two cores.
"""

from grla.study import Claim, Factor, Study, cheaper_to_train, usual_profiles


def windows(*sizes: int) -> Factor:
    """GRLA itself, and window attention of these sizes in place of its linear attention."""
    only = {"model.layers": ("window", "window")}
    return Factor("attention", {"GRLA": {}} | {f"window {size}": {**only, "model.window_size": size} for size in sizes})


STUDY = Study(
    question="Are windows in place of linear attention as good, and what do they cost in training?",
    source="GRLA paper, table 11",
    factors=(windows(8, 10, 12, 14, 16),),
    profiles=usual_profiles(small=(windows(4, 6, 8, 12),), tiny=(windows(2, 4, 8),)),
)

CLAIMS = (
    Claim(
        "GRLA trains with less memory and time than windows of 12 to 16",
        "table 11: 12144 MB and 375 s against 13720-15358 MB and 449-505 s",
        cheaper_to_train(
            "attention=window 12",
            "attention=window 14",
            "attention=window 16",
            words=(
                "supported if windows of 12, 14 and 16 all take more memory and time, beyond 5 % and 2 MiB; "
                "contradicted if all take less of both"
            ),
        ),
        small=cheaper_to_train(
            "attention=window 8",
            "attention=window 12",
            words=(
                "windows of 8 and 12 both take more memory and time, beyond 5 % and 2 MiB; contradicted if both take "
                "less"
            ),
        ),
    ),
)
