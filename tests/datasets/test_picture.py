"""Images for prediction, in all formats, also damaged ones."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from idx_files import idx_bytes
from PIL import Image

from fastmlp.datasets.picture import read_pictures
from fastmlp.errors import DataError, MissingExtraError

INPUTS = 784


def save(path: Path, image: np.ndarray[Any, Any]) -> Path:
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def seven() -> np.ndarray[Any, Any]:
    """A 7, ink 255 on 0, 40 x 24, somewhere in a landscape of 90 x 120."""
    canvas = np.zeros((90, 120), np.uint8)
    canvas[10:16, 70:94] = 255
    for row in range(40):
        canvas[10 + row, 88 - row // 3 : 94 - row // 3] = 255
    return canvas


def test_idx_plain_and_gzip_whatever_the_name(tmp_path: Path) -> None:
    images = np.arange(3 * INPUTS).reshape(3, 28, 28).astype(np.uint8)
    (tmp_path / "plain").write_bytes(idx_bytes(images))
    (tmp_path / "zipped.png").write_bytes(gzip.compress(idx_bytes(images)))
    for name in ("plain", "zipped.png"):
        pictures = read_pictures(tmp_path / name, INPUTS)
        assert np.array_equal(pictures.images, images)
        assert pictures.notes == ()


@pytest.mark.parametrize(
    ("shape", "count"),
    [((28, 28), 1), ((784,), 1), ((5, 28, 28), 5), ((5, 784), 5), ((1, 784), 1)],
)
def test_npy_of_one_image_or_many(tmp_path: Path, shape: tuple[int, ...], count: int) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    np.save(tmp_path / "x.npy", image)
    found = read_pictures(tmp_path / "x.npy", INPUTS).images
    assert len(found) == count
    assert np.array_equal(found.reshape(-1), image.reshape(-1))


def test_a_png_of_the_right_size_stays_as_it_is(tmp_path: Path) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[3:9, 20:22] = 210
    pictures = read_pictures(save(tmp_path / "x.png", image), INPUTS)
    assert np.array_equal(pictures.images[0], image)
    assert pictures.notes == ()


def test_dark_ink_means_inverting_and_says_so(tmp_path: Path) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[3:9, 20:22] = 210
    pictures = read_pictures(save(tmp_path / "x.png", 255 - image), INPUTS)
    assert np.array_equal(pictures.images[0], image)
    assert "inverted" in pictures.notes[0]


@pytest.mark.parametrize("paper", [0, 255, 200])
@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_a_picture_is_fitted_as_mnist_was(
    tmp_path: Path, seven: np.ndarray[Any, Any], name: str, paper: int
) -> None:
    image = np.where(seven > 0, 0 if paper else 255, paper).astype(np.uint8)
    pictures = read_pictures(save(tmp_path / name, image), INPUTS)
    (found,) = pictures.images
    assert found.dtype == np.uint8
    assert found.shape == (28, 28)
    assert found.max() == 255
    rows, columns = (np.flatnonzero((found > 60).any(axis=axis)) for axis in (1, 0))
    # 40 x 24, or a little more with its blurred edge, becomes 20 x 12
    assert 19 <= np.ptp(rows) + 1 <= 20
    assert 11 <= np.ptp(columns) + 1 <= 14
    mass = found.astype(float)
    places = np.arange(28) + 0.5
    assert 14 <= mass.sum(axis=1) @ places / mass.sum() <= 15
    assert 14 <= mass.sum(axis=0) @ places / mass.sum() <= 15
    assert any("120 x 90" in note for note in pictures.notes)


def test_mass_at_the_edge_cannot_push_the_digit_out_of_its_frame(tmp_path: Path) -> None:
    image = np.zeros((100, 100), np.uint8)
    image[:, 50] = 255
    image[98:, :] = 255
    image[[0, -1], :] = image[:, [0, -1]] = 0
    (found,) = read_pictures(save(tmp_path / "x.png", image), INPUTS).images
    assert np.ptp(np.flatnonzero((found > 60).any(axis=1))) + 1 >= 19


def test_a_small_digit_in_a_large_picture_is_read_from_all_its_pixels(
    tmp_path: Path, seven: np.ndarray[Any, Any]
) -> None:
    canvas = np.full((900, 1000), 255, np.uint8)
    canvas[500:590, 200:320] = 255 - seven
    large = read_pictures(save(tmp_path / "x.png", canvas), INPUTS).images.astype(int)
    plain = read_pictures(save(tmp_path / "p.png", 255 - seven), INPUTS).images
    assert abs(large - plain).mean() < 6


def test_transparent_pixels_are_paper(tmp_path: Path, seven: np.ndarray[Any, Any]) -> None:
    image = np.zeros((*seven.shape, 4), np.uint8)
    image[..., 3] = seven
    plain = read_pictures(save(tmp_path / "p.png", 255 - seven), INPUTS).images
    assert np.array_equal(read_pictures(save(tmp_path / "x.png", image), INPUTS).images, plain)


def test_sixteen_bits_are_not_clipped_to_eight(tmp_path: Path, seven: np.ndarray[Any, Any]) -> None:
    soft = np.where(seven > 0, seven - np.arange(120, dtype=np.uint8), 0).astype(np.uint8)
    deep = soft.astype(np.uint16) * 257
    plain = read_pictures(save(tmp_path / "p.png", soft), INPUTS).images
    found = read_pictures(save(tmp_path / "x.png", deep), INPUTS).images
    assert np.array_equal(found, plain)


def test_a_photograph_is_turned_upright(tmp_path: Path, seven: np.ndarray[Any, Any]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    Image.fromarray(np.rot90(seven).copy()).save(tmp_path / "x.png", exif=exif)
    plain = read_pictures(save(tmp_path / "p.png", seven), INPUTS).images
    assert np.array_equal(read_pictures(tmp_path / "x.png", INPUTS).images, plain)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.png", b"", "PNG, JPEG"),
        ("x.bmp", b"BM123456", "42 4d"),
        ("x.heic", b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC file"),
        ("x.webp", b"RIFF\x24\0\0\0WEBPVP8 ", "a WebP file"),
        ("x.png", b"\x89PNG\r\n\x1a\nrest", "readable picture; found none of a known format"),
        ("x.jpg", b"\xff\xd8\xff\xe0rest", "readable picture"),
        ("x.npy", b"\x93NUMPY\x01\x00\x05\x00junk!", "readable .npy"),
        ("x", b"\0\0\x08\x03\0\0\0\x01\0\0\0\x1c\0\0\0\x1c", "784 bytes"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match="expected") as caught:
        read_pictures(path, INPUTS)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message


def test_other_refusals(tmp_path: Path) -> None:
    blank = save(tmp_path / "blank.png", np.full((50, 40), 255, np.uint8))
    own_size = save(tmp_path / "own.png", np.full((28, 28), 200, np.uint8))
    for path, inputs, says in (
        (blank, INPUTS, "one even colour"),
        (own_size, INPUTS, "one even colour"),
        (blank, 500, "500 values"),
        (tmp_path / "none.png", INPUTS, "No such file"),
        (tmp_path, INPUTS, "directory"),
    ):
        with pytest.raises(DataError, match=says):
            read_pictures(path, inputs)


def test_npy_refuses_pickles_text_and_headers_that_promise_too_much(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"readable \.npy"):
        read_pictures(path, INPUTS)
    np.save(path, np.array(["seven"]))
    with pytest.raises(DataError, match="numbers"):
        read_pictures(path, INPUTS)
    np.save(path, np.zeros((28, 28), np.uint8))
    path.write_bytes(path.read_bytes().replace(b"(28, 28)", b"(28, 99)"))
    with pytest.raises(DataError, match=r"readable \.npy"):
        read_pictures(path, INPUTS)
    np.save(path, np.zeros((9, 9, 9, 9), np.uint8))
    with pytest.raises(DataError, match="of shape"):
        read_pictures(path, INPUTS)


def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="9000 x 9000"):
        read_pictures(tmp_path / "x.png", INPUTS)


def test_without_pillow_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "x.png", np.zeros((28, 28), np.uint8))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fastmlp\[image\]"'):
        read_pictures(path, INPUTS)
