"""Digits in pictures of every look are recognised nearly as often as the digits themselves.

FASTMLP_PICTURES says how many digits are drawn for each look and side; 4 by default.
"""

import os

import numpy as np
import pytest
from renderings import LOOKS, OTHERS, draw_other, render

import fastmlp
from fastmlp.datasets.doubts import find_doubts
from fastmlp.datasets.picture import read_pictures
from fastmlp.errors import DataError

COUNT = int(os.environ.get("FASTMLP_PICTURES", "4"))
BEYOND = 0.05  # share of the pictures that may be wrong where the digits themselves are right
CASES = [(name, side) for name, look in LOOKS.items() for side in look.sides]
NOT_DOUBTED = {"letter": 0.5, "house": 0.25, "scribble": 0.3, "blank": 0.1, "noise": 0.2}


@pytest.fixture(scope="session")
def known(request):
    """A trained network, and the digits that it is asked for, of MNIST or generated."""
    name = "mnist" if os.environ.get("FASTMLP_DATA") else "digits"
    data = request.getfixturevalue(name)
    network = fastmlp.Network((784, 128, 10))
    settings = {"epochs": 6, "batch_size": 32, "learning_rate": 0.5, "schedule": "linear"}
    fastmlp.train(network, data.train, **settings)
    images, labels = data.test.images[:COUNT], data.test.labels[:COUNT]
    return network, images.reshape(-1, 28, 28), labels


def read(path, content):
    """Return the image `(784,)` that is read from a picture; black if there is no ink on it."""
    path.write_bytes(content)
    try:
        return read_pictures(path, 784).images[0].ravel()
    except DataError:
        return np.zeros(784, np.uint8)


@pytest.mark.parametrize(("name", "side"), CASES)
def test_a_look_costs_few_answers(known, tmp_path, name, side):
    network, images, labels = known
    rng = np.random.default_rng(7)
    found = [read(tmp_path / "x", render(image, LOOKS[name], side, rng)) for image in images]
    right = network.predict(images.reshape(-1, 784), "numpy") == labels
    wrong = right & (network.predict(np.stack(found), "numpy") != labels)
    assert wrong.sum() <= max(1, BEYOND * len(labels)), np.flatnonzero(wrong)


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_digit_is_refused_or_doubted(known, tmp_path, kind):
    from fastmlp.report import predictions

    network, rng, count = known[0], np.random.default_rng(5), 2 * COUNT
    found = np.stack([read(tmp_path / "x", draw_other(kind, rng)) for _ in range(count)])
    outputs = network.predict_proba(found, "numpy")
    certain = [
        image.any() and not predictions(network, image[None], row[None], 0, doubts)[0].doubts
        for image, row in zip(found, outputs, strict=True)
        for doubts in [find_doubts(image.reshape(28, 28))]
    ]
    assert np.mean(certain) <= NOT_DOUBTED[kind]


def test_few_digits_are_doubted(known):
    images = known[1]
    assert np.mean([bool(find_doubts(image)) for image in images]) <= 0.15


def test_an_exact_digit_is_unchanged(known, tmp_path):
    from io import BytesIO

    from PIL import Image

    for image in known[1]:
        out = BytesIO()
        Image.fromarray(image).save(out, "PNG")
        assert (read(tmp_path / "x", out.getvalue()) == image.ravel()).all()
