"""Records of what networks cost, and what is said of those that cannot be counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grla.benchmark.counts import count_networks
from grla.benchmark.networks import find_network
from grla.cost import count
from grla.errors import InputError

PEERS = """
import torch
from torch import nn

class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.conv, self.function = nn.Conv2d(3, 48, 3, padding=1), function
    def forward(self, x):
        return nn.functional.pixel_shuffle(self.function(self.conv(x)), 4)

def plain(): return Applied(lambda x: x)
def fourier(): return Applied(lambda x: torch.fft.fft2(x).real)
def uncounted(): return Applied(lambda x: x + torch.tensordot(x[0], x[0], dims=([1], [1])).sum())
def half(): return nn.Sequential(nn.Conv2d(3, 12, 1), nn.PixelShuffle(2))
def wide(): return nn.Conv2d(3, 48, 9)
def luma(): return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.PixelShuffle(4))
class Pair(Applied):
    def forward(self, x):
        return super().forward(x), x
def pair(): return Pair(lambda x: x)
def picky():
    def check(x):
        assert x.shape[2] % 64 == 0, "sides must be multiples of 64"
        return x
    return Applied(check)
def reads_values(): return Applied(lambda x: x * float(x.mean()))
"""


@pytest.fixture(autouse=True)
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cost_peers.py").write_text(PEERS)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_record_has_all_counts_and_where_they_come_from() -> None:
    record = count_networks(["edsr_lite", "cost_peers:plain"], 4, (20, 30))
    json.dumps(record, allow_nan=False)
    assert (record["protocol"], record["upscale"], record["lr_size"]) == ("grla-benchmark-1", 4, [20, 30])
    assert {"code_version", "packages", "machine", "command_line"} <= set(record)
    edsr, plain = record["models"]
    counts = count(find_network("edsr_lite", 4), (1, 3, 20, 30))
    assert {name: edsr[name] for name in vars(counts)} == vars(counts)
    assert (edsr["activations_mib"], edsr["weights_mib"]) == (counts.activations_mib, counts.weights_mib)
    assert edsr["tree"]["counts"] == vars(counts)
    assert plain["macs"] == 600 * 27 * 48
    assert plain["checked"] == {"lr_size": [20, 24], "macs": 480 * 27 * 48}
    assert plain["tree"]["module"] == "Applied"
    assert "readings" not in record


def test_a_published_figure_is_read_at_usual_sizes_and_the_one_asked_for() -> None:
    record = count_networks(["cost_peers:plain"], 4, (20, 30), published=0.0746)
    assert record["published"] == 0.0746
    assert {reading["size"] for reading in record["readings"]} == {
        "output 1280x720",
        "output 1024x720",
        "LR 256x256",
        "LR 30x20",
    }
    assert record["readings"][0]["size"] == "output 1280x720"
    assert record["readings"][0]["value"] == 320 * 180 * 27 * 48
    usual = count_networks(["cost_peers:plain"], 4, (180, 320), published=1)["readings"]
    assert len({reading["size"] for reading in usual}) == 3


@pytest.mark.parametrize(
    ("names", "lr_size", "published", "message"),
    [
        (
            ["cost_peers:fourier"],
            (8, 8),
            None,
            r"model cost_peers:fourier: cannot count.* aten._fft_c2c.default",
        ),
        (["cost_peers:uncounted"], (8, 8), None, r"model cost_peers:uncounted: .*do not agree.*grla \d+.*fvcore \d+"),
        (["cost_peers:wide"], (8, 9), None, r"model cost_peers:wide cannot be counted on an LR input of 9x8 \(Runtime"),
        (
            ["cost_peers:luma"],
            (8, 8),
            None,
            r"model cost_peers:luma cannot be .*; it must take any size",
        ),
        (
            ["cost_peers:pair"],
            (8, 8),
            None,
            r"model cost_peers:pair: the model must map .*, got a tuple of 2; wrap",
        ),
        (["cost_peers:picky"], (80, 80), None, r"multiples of 64\); if that is too small for it, give a larger one"),
        (
            ["cost_peers:reads_values"],
            (8, 8),
            None,
            r"model cost_peers:reads_values: cannot count this model: what it does depends on values",
        ),
        (["cost_peers:plain"], (0, 8), None, r"lr_size must be a whole number of at least 1, got 0"),
        (["cost_peers:plain"], (8, 8), 0.0, r"published must be above 0"),
        (
            ["cost_peers:plain", "edsr_lite"],
            (8, 8),
            1.0,
            r"published must be the figure of one model: .*, edsr_lite",
        ),
    ],
)
def test_what_cannot_be_counted_is_said(
    names: list[str], lr_size: tuple[int, int], published: float | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        count_networks(names, 4, lr_size, published)


def test_one_that_cannot_be_counted_does_not_lose_the_others() -> None:
    record = count_networks(["cost_peers:fourier", "cost_peers:plain", "no:such", "cost_peers:half"], 4, (8, 8))
    assert [row["model"] for row in record["models"]] == ["cost_peers:plain"]
    assert list(record["refused"]) == ["cost_peers:fourier", "no:such", "cost_peers:half"]
    assert "it enlarges x2" in record["refused"]["cost_peers:half"]


def test_a_network_that_needs_a_certain_size_is_checked_at_one_that_suits_it() -> None:
    (row,) = count_networks(["cost_peers:picky"], 4, (128, 128))["models"]
    assert row["checked"]["lr_size"] == [64, 64]
