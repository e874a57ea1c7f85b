"""What training minimises, by its name in a spec: each takes sr and hr (batch, 3, height, width) to a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

EPSILON = 1e-3
FREQUENCY_WEIGHT = 0.05


def charbonnier(sr: Tensor, hr: Tensor) -> Tensor:
    """The mean of sqrt(difference^2 + EPSILON^2), a smooth L1 (Lai et al. 2017, "LapSRN")."""
    return (sr - hr).square().add(EPSILON**2).sqrt().mean()


def l1_fft(sr: Tensor, hr: Tensor) -> Tensor:
    """L1, and FREQUENCY_WEIGHT times the L1 of the real and imaginary parts of the Fourier transform.

    As SAFMN is trained (Sun et al. 2023; `FFTLoss` in its code): the transform of real images, not normalised.
    """
    spectrum = torch.view_as_real(torch.fft.rfft2(sr - hr))
    return nn.functional.l1_loss(sr, hr) + FREQUENCY_WEIGHT * spectrum.abs().mean()


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": nn.functional.l1_loss,
    "mse": nn.functional.mse_loss,
    "charbonnier": charbonnier,
    "l1_fft": l1_fft,
}
