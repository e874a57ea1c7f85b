"""Write the ledger of the paper's claims from what a storage holds.

    python studies/claims.py                            reads results/studies.db and results/benchmark
    python studies/claims.py --out results/reference    reads the folders of studies and the benchmark there

It writes claims.md into that folder.

Each verdict is computed from records by the rule beside it. Run more studies, or larger ones, and run this again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tyro

import project_root  # noqa: F401  it puts the project on the path

from grla.analysis import flops_claim, key_weight_claim
from grla.engine import FILE_NAME
from grla.errors import InputError
from grla.files import write_text
from grla.report import (
    Claim,
    Table,
    better_than_base,
    cheaper_to_train,
    diverging,
    faster_than_swinir,
    judge_claims,
    latest_by_study,
    memory_is_linear,
    no_better_than_base,
    worse_than_base,
)

LEDGER = "claims.md"
TITLE = "The paper's claims, judged by the records of this project"
NOTE = (
    "A verdict follows from the rule beside it. Profiles below `paper` are small budgets: what they leave open is not "
    "refuted, and what they show may change with training."
)

CLAIMS = (
    Claim(
        "GRBF beats the other linear attentions",
        "table 1: +0.06 dB or more on Urban100",
        "kernels",
        "supported if efficient, taylor, relu and mala are all worse than GRBF; contradicted if one is better",
        worse_than_base("kernel=efficient", "kernel=taylor", "kernel=relu", "kernel=mala"),
    ),
    Claim(
        "GRBF attention is better than plain averaging and than none (implied)",
        "not tested in the paper",
        "kernels",
        "supported if uniform and none are both worse than GRBF; contradicted if one is better",
        worse_than_base("kernel=uniform", "kernel=none"),
    ),
    Claim(
        "Training without phi(K) diverges",
        "table 2",
        "key_term",
        "supported if all cells without phi diverge (unnormalised q and k, where phi is not a constant); contradicted "
        "if none does in profile paper",
        diverging("key_weight=without phi, qk_norm=none"),
    ),
    Claim(
        "gamma = 1/2 is best",
        "table 4: +0.06 dB on Urban100",
        "gamma",
        "supported if 1/4, 1/8 and 1/16 are all worse than 1/2; contradicted if one is better",
        worse_than_base("gamma=1/4", "gamma=1/8", "gamma=1/16"),
    ),
    Claim(
        "gamma = 1 and 2/3 diverge",
        "table 4",
        "gamma",
        "supported if all cells at 1 and 2/3 diverge, with q and k normalised or not; contradicted if none does in "
        "profile paper",
        diverging("gamma=1", "gamma=2/3", "gamma=1, qk_norm=none", "gamma=2/3, qk_norm=none"),
    ),
    Claim(
        "The second Taylor order is no better",
        "table 5: 26.90 against 26.94 dB on Urban100",
        "taylor_order",
        "supported if a gain of 0.05 dB can be excluded; contradicted if it is better",
        no_better_than_base("taylor_order=2"),
    ),
    Claim(
        "Global linear attention adds 0.4 dB",
        "table 6: Manga109 31.49 with, 31.06 without, windows of 16",
        "tla",
        "supported if the network without it is worse; contradicted if it is better (the size is in the evidence)",
        worse_than_base("tla=off"),
    ),
    Claim(
        "More than 55 channels bring nothing",
        "figure 7",
        "channels",
        "supported if for 60 and 65 a gain of 0.05 dB can be excluded; contradicted if one is better",
        no_better_than_base("channels=60", "channels=65"),
    ),
    Claim(
        "Six blocks beat four and five",
        "figure 8",
        "depth",
        "supported if 4 and 5 are both worse than 6; contradicted if one is better",
        worse_than_base("depth=4", "depth=5"),
    ),
    Claim(
        "Dense aggregation helps",
        "table 7: +0.01 dB on Set5",
        "aggregation",
        "supported if the network without it is worse; contradicted if it is better",
        worse_than_base("aggregation=off"),
    ),
    Claim(
        "Linear attention alone, without windows, is worse",
        "table 8: Set5 x2 38.19 against 38.33",
        "full_grbfla",
        "supported if full GRBFLA is worse; contradicted if it is better",
        worse_than_base("layers=full GRBFLA"),
    ),
    Claim(
        "The design scales: GRLA-L is better",
        "table 9: +0.26 dB on Urban100",
        "large",
        "supported if GRLA-L is better; contradicted if it is worse",
        better_than_base("size=GRLA-L"),
    ),
    Claim(
        "GRLA trains with less memory and time than windows of 12 to 16",
        "table 11: 12144 MB and 375 s against 13720-15358 MB and 449-505 s",
        "window_size",
        "supported if memory and time are below those of windows 12, 14 and 16; contradicted if both are above",
        cheaper_to_train("attention=window 12", "attention=window 14", "attention=window 16"),
    ),
)
OURS = (
    Claim(
        "In the recall probe, at the budget of the study, GRBF attention is better than `uniform`",
        "not in the paper",
        "recall",
        "supported if uniform is worse than GRBF; contradicted if it is better",
        worse_than_base("kernel=uniform"),
    ),
    Claim(
        "In the recall probe, at the budget of the study, rbf_ridge is better than GRBF",
        "not in the paper",
        "recall",
        "supported if rbf_ridge is better than GRBF; contradicted if it is worse",
        better_than_base("kernel=rbf_ridge"),
    ),
    Claim(
        "On photographs rbf_ridge is better than GRBF",
        "not in the paper",
        "recall_photos",
        "supported if rbf_ridge is better than GRBF; contradicted if it is worse",
        better_than_base("kernel=rbf_ridge"),
    ),
)


@dataclass(frozen=True)
class Arguments:
    """Write the ledger of the paper's claims from what a storage holds."""

    out: Path = Path("results")
    """Folder of studies.db, or of the studies' folders alone, and of benchmark records; claims.md goes there."""


def main(arguments: Arguments) -> None:
    """Judge, write, print."""
    text = ledger_text(judged(arguments.out))
    write_text(arguments.out / LEDGER, text)
    print(text)


def ledger_text(ledger: pd.DataFrame) -> str:
    """The ledger as a page of Markdown."""
    return f"# {TITLE}\n\n{NOTE}\n\n{Table(ledger, left=tuple(ledger.columns)).markdown()}\n"


def judged(out: Path) -> pd.DataFrame:
    """The ledger from what `out` holds: claim, paper, rule, ours, verdict."""
    judgements = judge_claims(CLAIMS + OURS, latest_by_study(out / FILE_NAME))
    return pd.concat([settled(), judgements, costs(out / "benchmark")], ignore_index=True)


def settled() -> pd.DataFrame:
    """The claims that need no training."""
    (cheaper, flops), (matters, phi) = flops_claim(), key_weight_claim()
    rows = [
        (
            "GRLA needs 11 % fewer FLOPs than SwinIR-light",
            "table 3: 56.5 G against 63.6 G",
            "supported if GRLA's MACs, every product counted as SwinIR-light's are, lie below SwinIR-light's",
            flops,
            "supported" if cheaper else "contradicted",
        ),
        (
            "phi(K) is needed with normalised keys",
            "section 3 and table 2",
            "supported if phi(K) changes any output by more than 1e-9 when keys have unit length",
            phi,
            "supported" if matters else "contradicted",
        ),
    ]
    return pd.DataFrame(rows, columns=["claim", "paper", "rule", "ours", "verdict"])


def costs(folder: Path) -> pd.DataFrame:
    """The claims that benchmark records in `folder`, or one below it, can judge."""
    latencies = [folder / "latency.json", *sorted(folder.glob("*/latency.json"))]
    latency = next((path for path in latencies if path.is_file()), latencies[0])
    rows = [
        (
            "Memory grows linearly with the number of tokens",
            "section 3",
            "supported if the memory of GRBF attention grows with an exponent of at most 1.05",
            memory_is_linear(folder / "scaling.json"),
        ),
        (
            "3.5 times faster than SwinIR-light",
            "table 10: 60.9 ms against 213.4 ms on an RTX 2080 Ti",
            "supported if SwinIR-light takes at least 3.5 times as long on a GPU, timed in turns; contradicted if less",
            faster_than_swinir(latency),
        ),
    ]
    judged = [(*words, judgement.evidence, judgement.verdict) for *words, judgement in rows]
    return pd.DataFrame(judged, columns=["claim", "paper", "rule", "ours", "verdict"])


if __name__ == "__main__":
    try:
        main(tyro.cli(Arguments))
    except InputError as error:
        sys.exit(f"error: {error}")
