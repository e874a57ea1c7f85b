"""What was measured in trained networks: means over seeds and images with intervals, as a table and as figures.

Rows have a network, a seed, what was measured, a test set, an image and a value; see `grla.analysis`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from grla.report.figures.canvas import PALETTE, line_style, list_rows, panels
from grla.report.statistics.bootstrap import crossed_interval

OWN, OTHERS, LOST = "follows the swapped value", "follows it at other keys", "dB lost with uniform weights in "
"""What was measured: responses at the blanked copies of the swapped key and of others, and losses by layer."""
MORE = "follows it more than at other keys"
"""The first less the second in the same image: 0 for what averages or is blind, 1 for what recalls."""
BEYOND = "follows it more than at other keys, beyond averaging"
"""MORE less that of the network of the same seed that only averages, on the same image."""
AVERAGING = "uniform"
SCORE = "PSNR-Y dB, "
"""What was measured: scores on other tests of the probe, by their names."""


def intervals_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per network, thing measured and test set: mean, low, high (95 %, over seeds and images), seeds, images.

    Where responses are among the rows, so is MORE, and BEYOND where a network that averages is.
    """
    found = []
    for names, mine in _with_more(rows).groupby(["network", "what", "test_set"], sort=False):
        values = mine.pivot(index="seed", columns="image", values="value").to_numpy(np.float64)
        low, high = crossed_interval(values)
        found.append((*names, values.mean(), low, high, *values.shape))
    return pd.DataFrame(found, columns=["network", "what", "test_set", "mean", "low", "high", "seeds", "images"])


def _with_more(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and after those of each network MORE and BEYOND of each image."""
    keys = ["network", "seed", "test_set", "image"]
    responses = rows[rows["what"].isin([OWN, OTHERS])]
    if responses.empty:
        return rows
    by_place = responses.pivot(index=keys, columns="what", values="value").dropna()
    more = (by_place[OWN] - by_place[OTHERS]).rename("value").reset_index().assign(what=MORE)
    averaging = more[more["network"] == AVERAGING].set_index(keys[1:])["value"]
    others = more[more["network"] != AVERAGING].set_index(keys[1:])
    beyond = others.assign(what=BEYOND, value=others["value"] - averaging.reindex(others.index)).reset_index().dropna()
    order = {name: index for index, name in enumerate(rows["network"].unique())}
    both = pd.concat([rows, more, beyond], ignore_index=True)
    return both.sort_values("network", key=lambda names: names.map(order), kind="stable")


def interventions_figure(rows: pd.DataFrame) -> Figure:
    """A panel for each test set and kind of measurement: each network's mean with its 95 % interval.

    Responses are shown at the swapped key (filled) and at other keys (open); losses by layer, each in a colour.
    """
    table = intervals_table(rows)
    kinds = [("response (1: follows it fully)", [OWN, OTHERS])]
    kinds.append(("dB lost with uniform weights", [str(w) for w in table["what"].unique() if str(w).startswith(LOST)]))
    shown = [(kind, wanted) for kind, wanted in kinds if table["what"].isin(wanted).any()]
    table = table[table["what"].isin([what for _, wanted in shown for what in wanted])]
    networks, sets = list(table["network"].unique()), list(table["test_set"].unique())
    size = (4.2 * len(sets) + 2, 0.45 * len(networks) * len(shown) + 1.6 * len(shown))
    figure, axes = panels([1.0] * len(shown), len(sets), size)
    for index, panel in enumerate(axes):
        (label, wanted), name = shown[index // len(sets)], sets[index % len(sets)]
        list_rows(panel, name, networks if index % len(sets) == 0 else [""] * len(networks))
        for number, what in enumerate(wanted):
            mine = table[(table["what"] == what) & (table["test_set"] == name)].set_index("network").reindex(networks)
            height = np.arange(len(networks)) + 0.5 * (number - (len(wanted) - 1) / 2) / len(wanted)
            error = [mine["mean"] - mine["low"], mine["high"] - mine["mean"]]
            inside = "white" if what == OTHERS else PALETTE[number]
            short = what.removeprefix(LOST)
            panel.errorbar(mine["mean"], height, xerr=error, fmt="o", color=PALETTE[number], label=short, mfc=inside)
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set_xlabel(label)
    for row in range(len(shown)):  # beside the panels, where it hides nothing
        axes[(row + 1) * len(sets) - 1].legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def other_tests_figure(rows: pd.DataFrame) -> Figure:
    """PSNR-Y of the blanked pixels against the number of pairs, a panel for each test, a line per network."""
    table = intervals_table(rows[rows["what"].str.startswith(SCORE)])
    table["pairs"] = table["test_set"].str.split().str[0].astype(int)
    tests, networks = list(table["what"].unique()), list(table["network"].unique())
    figure, axes = panels([1.0], len(tests), (3.6 * len(tests) + 2, 4.2))
    for panel, name in zip(axes, tests, strict=True):
        for index, network in enumerate(networks):
            mine = table[(table["what"] == name) & (table["network"] == network)]
            colour, dashes = line_style(index)
            panel.plot(mine["pairs"], mine["mean"], marker="o", color=colour, linestyle=dashes, label=network)
            panel.fill_between(mine["pairs"], mine["low"], mine["high"], color=colour, alpha=0.15, linewidth=0)
        panel.set_title(name.removeprefix(SCORE), loc="left", fontsize=10)
        panel.set(xscale="log", xlabel="distinct pairs in the image")
        ticks = sorted(table.loc[table["what"] == name, "pairs"].unique())
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.minorticks_off()
        panel.sharey(axes[0])
    axes[0].set_ylabel("PSNR-Y (dB) of the blanked pixels, 95 % interval")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    return figure
