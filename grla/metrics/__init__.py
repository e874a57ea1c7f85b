"""PSNR-Y and SSIM-Y as the papers compute them: uint8 images in, one value per image out."""

from grla.metrics.luma import LUMA_RANGE, OFFSET, RGB_WEIGHTS, luma
from grla.metrics.psnr import psnr_y
from grla.metrics.ssim import ssim_y
