"""The losses against hand-worked values and NumPy's transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grla.training.losses import LOSSES


@pytest.mark.parametrize(
    ("name", "difference", "expected"),
    [
        ("charbonnier", 0.0, 1e-3),
        ("charbonnier", -3e-3, 10**0.5 * 1e-3),  # sqrt(9e-6 + 1e-6)
        ("charbonnier", 0.5, (0.25 + 1e-6) ** 0.5),
        ("l1_fft", 0.0, 0.0),
        # Of a constant only the transform's first number is not 0: 0.5 * 16, among 4 x 3 complex ones.
        ("l1_fft", -0.5, 0.5 + 0.05 * 8 / 24),
    ],
)
def test_constant_differences_by_hand(name: str, difference: float, expected: float) -> None:
    hr = torch.full((2, 3, 4, 4), 0.6, dtype=torch.float64)
    assert LOSSES[name](hr + difference, hr).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_frequencies_are_compared_by_real_and_imaginary_part() -> None:
    sr, hr = torch.rand(2, 2, 3, 6, 5, dtype=torch.float64)
    ours, theirs = (np.fft.rfft2(image.numpy()) for image in (sr, hr))
    parts = np.stack([ours.real - theirs.real, ours.imag - theirs.imag])
    expected = np.abs(sr.numpy() - hr.numpy()).mean() + 0.05 * np.abs(parts).mean()
    assert LOSSES["l1_fft"](sr, hr).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_can_be_trained_at_its_minimum(name: str) -> None:
    """A slope that is infinite where sr equals hr would be NaN times 0."""
    sr = torch.ones(1, 3, 4, 4, requires_grad=True)
    LOSSES[name](sr, torch.ones(1, 3, 4, 4)).backward()
    assert sr.grad is not None
    assert not sr.grad.any()
