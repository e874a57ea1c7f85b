"""The public image sets of super-resolution: where their authors offer them, their terms, their checksums.

DIV2K's SHA-256 and size are those that TensorFlow Datasets checks (div2k/checksums.tsv), the tar file's MD5 is that of
torchSR (datasets/benchmarks.py); for Berkeley's archive none is published. `pictures` is a digest of the pixels with
which our tests reproduce published bicubic values. No checksum is published for the pictures of Manga109, nor a list of
the pages that papers use: what identifies them is `bicubic`, quoted from Zhang et al., RCAN, ECCV 2018.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from grla.data.public.transfer import RemoteFile

GIB = 1 << 30


@dataclass(frozen=True)
class PublicSet:
    """One set: `inner` is its folder in the archive, `name` the folder it becomes, `num_images` its HR images.

    `archive` is the address of a page where one has to ask for it, if it cannot be fetched. `pictures` is the
    `pictures_digest` of its HR images, None if it is not known. `bicubic` are published scores of bicubic interpolation
    by four: PSNR-Y (dB) and SSIM-Y.
    """

    name: str
    role: Literal["train", "test"]
    archive: RemoteFile | str
    inner: str
    num_images: int
    terms: str
    source: str
    pictures: str | None = None
    bicubic: tuple[float, float] | None = None

    @property
    def address(self) -> str:
        """Where the archive is, or where to ask for it."""
        return self.archive if isinstance(self.archive, str) else self.archive.url


def pictures_digest(images: Iterable[NDArray[np.uint8]]) -> str:
    """SHA-256 (hex) of a set of pictures by their decoded pixels, independent of order, file names and format."""
    digests = sorted(hashlib.sha256(str(image.shape).encode() + image.tobytes()).digest() for image in images)
    return hashlib.sha256(b"".join(digests)).hexdigest()


_DIV2K = RemoteFile(
    "https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_train_HR.zip",
    most_bytes=6 * GIB,
    size=3530603713,
    digest="sha256:9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
)
_BENCHMARK = RemoteFile(
    "https://cv.snu.ac.kr/research/EDSR/benchmark.tar",
    most_bytes=2 * GIB,
    digest="md5:4ace41d33c2384b97e6b320cd0afd6ba",
)
_BERKELEY = RemoteFile(
    "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/BSDS300-images.tgz", most_bytes=GIB // 4
)
_NO_LICENCE = "no licence is stated by its authors; used for research; rights stay with the pictures' owners"
_EDSR = "as EDSR's authors offer it, uncropped and with MATLAB's LR images (Lim et al., CVPR Workshops 2017)"

PUBLIC_SETS = {
    "div2k": PublicSet(
        "DIV2K",
        "train",
        _DIV2K,
        "DIV2K_train_HR",
        800,
        "for academic research only; all pictures are from the internet, their copyright stays with the owners "
        "(data.vision.ee.ethz.ch/cvl/DIV2K)",
        "E. Agustsson, R. Timofte, NTIRE 2017 challenge, CVPR Workshops 2017; the 800 HR training images",
    ),
    "set5": PublicSet(
        "Set5",
        "test",
        _BENCHMARK,
        "benchmark/Set5",
        5,
        _NO_LICENCE,
        f"M. Bevilacqua et al., BMVC 2012; {_EDSR}",
        "d9b9c4724a47072f9e9d8091abad6111a203cb8438e7b6c1408e8156c1fb69d2",
    ),
    "set14": PublicSet(
        "Set14",
        "test",
        _BENCHMARK,
        "benchmark/Set14",
        14,
        _NO_LICENCE,
        f"R. Zeyde et al., Curves and Surfaces 2010; {_EDSR}",
        "31486e7f032426c74fda1b8f292516480e633b5103bc7d2998d24de0b54a02bd",
    ),
    "bsd100": PublicSet(
        "BSD100",
        "test",
        _BERKELEY,
        "BSDS300/images/test",
        100,
        "for non-commercial research and educational purposes "
        "(www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds)",
        "D. Martin et al., ICCV 2001; the 100 test images of BSDS300",
        "912412a1956f709d50f983a0eafb5e6e9c90cd7e2f9ebe3d4b7d0ca58d589fed",
    ),
    "urban100": PublicSet(
        "Urban100",
        "test",
        _BENCHMARK,
        "benchmark/Urban100",
        100,
        _NO_LICENCE,
        f"J.-B. Huang et al., CVPR 2015; {_EDSR}",
        bicubic=(23.14, 0.6577),
    ),
    "manga109": PublicSet(
        "Manga109",
        "test",
        "http://www.manga109.org/en/",
        "",
        109,
        "for academic research by those whom its owners allow it; not to be passed on (www.manga109.org)",
        "Y. Matsui et al., Multimedia Tools and Applications 2017; a page of each of the 109 volumes, as it is used to "
        "test super-resolution",
        bicubic=(24.89, 0.7866),
    ),
}
