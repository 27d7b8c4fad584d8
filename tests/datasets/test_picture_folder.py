"""Folders of pictures of one's own, as people and publishers keep them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image

from fastmlp.datasets import load_dataset
from fastmlp.datasets.picture_folder import SUFFIXES, Form, picture_files, read_pictures
from fastmlp.errors import ArgumentError, DataError

KINDS = ("day", "night")


def draw(folder: Path, name: str, colour: int | tuple[int, ...], size: tuple[int, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mode = "L" if isinstance(colour, int) else "RGB"
    Image.new(mode, size, colour).save(folder / name)


@pytest.mark.parametrize("divided", [True, False])
def test_pictures_in_folders_of_their_classes(tmp_path: Path, divided: bool) -> None:
    parts = ("Train", "test") if divided else ("",)
    for part in parts:
        for number, kind in enumerate(("day", "night")):
            for n, suffix in enumerate((".png", ".jpg", ".bmp", ".gif", ".tif")):
                draw(tmp_path / part / kind, f"{n}{suffix}", 200 - 150 * number, (6, 4))
            (tmp_path / part / kind / "notes.txt").write_text("no picture")
    data = load_dataset(tmp_path)
    assert (data.image_shape, data.class_names) == ((4, 6), ("day", "night"))
    assert (len(data.train), len(data.test)) == ((10, 10) if divided else (8, 2))
    np.testing.assert_allclose(data.train.images, [[200 - 150 * n] * 24 for n in data.train.labels])
    assert data.columns["pictures"] == {"height": 4, "width": 6, "channels": 1}
    assert len(load_dataset(tmp_path, columns=data.columns).train) == len(data.train)


def test_other_pictures_than_those_of_the_training_all_test(tmp_path: Path) -> None:
    for n in range(10):
        draw(tmp_path / "here" / KINDS[n % 2], f"{n}.png", 20 * n, (6, 4))
        draw(tmp_path / "there" / KINDS[n % 2], f"{n}.png", 20 * n + 1, (6, 4))
    first = load_dataset(tmp_path / "here", seed=3)
    again = load_dataset(tmp_path / "here", columns=first.columns)
    np.testing.assert_array_equal(again.test.images, first.test.images)
    other = load_dataset(tmp_path / "there", columns=first.columns)
    assert (len(other.test), other.columns) == (10, first.columns)
    assert other.notes[-1] == "other pictures than those of the training: all test"
    divided = load_dataset(tmp_path / "there", columns=first.columns, whole=False)
    assert len(divided.test) == 2
    earlier = {"pictures": first.columns["pictures"]}  # of a model that does not know its pictures
    assert len(load_dataset(tmp_path / "there", columns=earlier).test) == 2
    with pytest.raises(DataError, match=r"columns must describe pictures.* seed is -1"):
        load_dataset(tmp_path / "here", columns={**first.columns, "seed": -1})


def test_pictures_have_the_same_order_where_paths_compare_without_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("B.png", "a.png", "C.png", "b.jpg"):
        draw(tmp_path / KINDS["a" in name], name, 9, (6, 4))
    wanted = [path.name for path in picture_files(tmp_path)]
    assert wanted == ["B.png", "C.png", "b.jpg", "a.png"]
    monkeypatch.setattr(
        PurePath, "__lt__", lambda one, other: str(one).lower() < str(other).lower()
    )
    assert [path.name for path in picture_files(tmp_path)] == wanted


def test_pictures_in_colour_and_of_several_sizes(tmp_path: Path) -> None:
    for n, size in enumerate(((200, 100), (200, 100), (90, 100))):
        draw(tmp_path / "red", f"{n}.png", (255, 0, 0), size)
        draw(tmp_path / "grey", f"{n}.png", (9, 9, 9), size)
    data = load_dataset(tmp_path)
    assert data.image_shape == (32, 64, 3)
    assert "colour, resized to 64 x 32" in data.notes[0]
    red = data.train.images[data.train.labels == 1].reshape(-1, 3)
    assert (red == (255, 0, 0)).all()
    for size, shape in (((5, 7), (7, 5, 3)), ([5, 7], (7, 5, 3)), (6, (6, 6, 3))):
        assert load_dataset(tmp_path, image_size=size).image_shape == shape
    files = picture_files(tmp_path)
    assert len(files) == 6
    assert read_pictures(files[:2], Form(3, 2, 1)).shape == (2, 3, 2)


def laid_out(*folders: str) -> Callable[[Path], None]:
    """Return who draws three pictures in each folder, of which the last part is the class."""

    def lay_out(root: Path) -> None:
        for folder in folders:
            for n in range(3):
                draw(root / folder, f"{n}.png", 200 if folder.endswith("day") else 50, (6, 4))

    return lay_out


# How people keep folders of pictures: training and test pictures, and what is said of the others
FOLDERS: dict[str, tuple[Callable[[Path], None], tuple[int, int], str]] = {
    "hidden folders": (laid_out("day", "night", "day/.checkpoints", "__MACOSX/day"), (4, 2), ""),
    "a folder around": (laid_out("archive/day", "archive/night"), (4, 2), ""),
    "a folder around both": (
        laid_out(*(f"archive/{part}/{kind}" for part in ("train", "test") for kind in KINDS)),
        (6, 6),
        "",
    ),
    "three parts": (
        laid_out(*(f"{part}/{kind}" for part in ("train", "val", "test") for kind in KINDS)),
        (6, 6),
        "not read: val",
    ),
    "test pictures without classes": (
        laid_out("train/day", "train/night", "test"),
        (4, 2),
        "not read: test",
    ),
    "a class that only tests": (
        laid_out("train/day", "train/night", "test/day", "test/noon"),
        (6, 6),
        "no training sample of noon",
    ),
    "a folder called as a picture": (laid_out("day", "night", "day/more.png"), (7, 2), ""),
}


def with_others(root: Path) -> None:
    laid_out("day", "night")(root)
    (root / "day" / "phone.HEIC").write_bytes(b"")
    (root / "day" / "notes.txt").write_bytes(b"")


FOLDERS["a format that is not read"] = with_others, (4, 2), "not read: 1 picture such as phone.HEIC"


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_of_pictures_as_they_are_kept(tmp_path: Path, case: str) -> None:
    lay_out, counts, note = FOLDERS[case]
    lay_out(tmp_path)
    data = load_dataset(tmp_path)
    assert (len(data.train), len(data.test)) == counts
    assert data.class_names == KINDS + ("noon",) * ("noon" in note)
    assert [one for one in data.notes if one.startswith("no") and "part" not in one] == [
        *filter(None, [note])
    ]


def test_pictures_of_16_bits_and_light_ink_keep_what_they_show(tmp_path: Path) -> None:
    levels = np.arange(1024, dtype=np.uint16).reshape(32, 32)
    clear = np.zeros((32, 32, 4), np.uint8)
    clear[8:20, 8:20] = 255
    for kind in KINDS:
        (tmp_path / "deep" / kind).mkdir(parents=True)
        (tmp_path / "clear" / kind).mkdir(parents=True)
        for n in range(2):
            Image.fromarray(levels // (n + 1)).save(tmp_path / "deep" / kind / f"{n}.png")
            Image.fromarray(clear).save(tmp_path / "clear" / kind / f"{n}.png")
    deep, light = (load_dataset(tmp_path / name, whole=True) for name in ("deep", "clear"))
    np.testing.assert_array_equal(
        deep.train.images[0], (levels.ravel() * (255 / 1023)).astype("u1")
    )
    assert deep.train.images[1].max() == 127
    assert Form.from_plain(deep.columns or {}).white == 1023
    np.testing.assert_array_equal(light.train.images[0], clear[..., 3].ravel())


def test_pictures_that_cannot_be_used(tmp_path: Path) -> None:
    draw(tmp_path / "flat", "a.png", 9, (4, 4))
    with pytest.raises(DataError, match=r"folder of pictures for each class .* but 'a.png'"):
        load_dataset(tmp_path / "flat")
    (tmp_path / "flat" / "b.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"b\.png: expected a readable picture; found none of a kn"):
        load_dataset(tmp_path)
    (tmp_path / "flat" / "b.png").unlink()
    with pytest.raises(DataError, match="expected two classes or more; found only 'flat'"):
        load_dataset(tmp_path)
    (tmp_path / "flat" / "b.tif").write_bytes(b"")
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "flat" / "b.tif")
    with pytest.raises(DataError, match="whole numbers; found floating-point numbers"):
        load_dataset(tmp_path)
    Image.fromarray(np.full((4, 4), -9, np.int32)).save(tmp_path / "flat" / "b.tif")
    with pytest.raises(DataError, match=r"b\.tif: expected pixels from 0 to 65535; found -9 to -9"):
        load_dataset(tmp_path)
    for size in ((0, 4), (4,), (4.0, 4), 0):
        with pytest.raises(ArgumentError, match="image_size must be two whole numbers"):
            load_dataset(tmp_path, image_size=size)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"data must be a table, as those .*; got pictures. Pass"):
        load_dataset(tmp_path, columns={"inputs": []})
    for form in ({}, {"height": 1, "width": 0, "channels": 1}, None):
        with pytest.raises(DataError, match="columns must describe pictures"):
            load_dataset(tmp_path, columns={"pictures": form})
    assert {".png", ".jpg", ".bmp", ".gif"} < set(SUFFIXES)
