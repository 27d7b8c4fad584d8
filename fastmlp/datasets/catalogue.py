"""The data sets that can be downloaded: their addresses, shapes and digests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

# Images and labels to train, and to test
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SHAPES: tuple[tuple[int, ...], ...] = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))


@dataclass(frozen=True)
class IdxFile:
    """One published file, called `<name>.gz`.

    shape  : of the uint8 array in the file
    sha256 : digest of the decompressed "content", or of the published "gzip" file

    "content" also accepts a copy that was compressed again; it is used if that digest is known.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str
    of: Literal["content", "gzip"]

    @property
    def most(self) -> int:
        """The largest possible size of the published file in bytes; gzip adds very little."""
        return math.prod(self.shape) + 4096


@dataclass(frozen=True)
class Family:
    """A data set in four IDX files: training images and labels, test images and labels."""

    name: str
    mirrors: tuple[str, ...]
    files: tuple[IdxFile, ...]
    class_names: tuple[str, ...]


def _mnist_like(
    name: str,
    mirrors: tuple[str, ...],
    of: Literal["content", "gzip"],
    sha256: tuple[str, ...],
    class_names: tuple[str, ...],
) -> Family:
    rows = zip(NAMES, SHAPES, sha256, strict=True)
    return Family(name, mirrors, tuple(IdxFile(*row, of) for row in rows), class_names)


MNIST = _mnist_like(
    "mnist",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "content",
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    tuple("0123456789"),
)

FASHION_MNIST = _mnist_like(
    "fashion-mnist",
    (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    ),
    "gzip",
    (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)

KMNIST = _mnist_like(
    "kmnist",
    ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    "gzip",
    (
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    ),
    ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)

FAMILIES = {family.name: family for family in (MNIST, FASHION_MNIST, KMNIST)}
