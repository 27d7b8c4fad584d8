"""The generated digits: equal for equal seeds, sparse as MNIST, neither too easy nor too hard."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from fastmlp.datasets import Dataset, generate_digits, load_dataset
from fastmlp.datasets import digits as module
from fastmlp.datasets.strokes import STYLES
from fastmlp.errors import ArgumentError

Floats = np.ndarray[Any, np.dtype[np.float32]]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return generate_digits(10_000, 2_000)


def digest(dataset: Dataset) -> str:
    hashed = hashlib.sha256()
    for split in (dataset.train, dataset.test):
        hashed.update(split.images.data)
        hashed.update(split.labels.data)
    return hashed.hexdigest()


def test_the_record(digits: Dataset) -> None:
    assert digits.train.images.shape == (10_000, 784)
    assert digits.test.images.shape == (2_000, 784)
    assert digits.train.images.dtype == np.uint8
    assert digits.image_shape == (28, 28)
    assert digits.class_names == tuple("0123456789")
    assert digits.source == "generated, seed 0"
    assert np.bincount(digits.train.labels, minlength=10).min() > 900


def test_density_and_brightness_are_as_in_mnist(digits: Dataset) -> None:
    for split in (digits.train, digits.test):
        assert 0.15 <= np.mean(split.images > 0) <= 0.25
        assert 0.11 <= split.images.mean() / 255 <= 0.15
        assert split.images.max() == 255
    blank = digits.train.images.max(axis=1) < 128
    assert not blank.any()


def test_ink_stays_away_from_the_rim(digits: Dataset) -> None:
    images = digits.train.images.reshape(-1, 28, 28)
    rim = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
    assert np.mean(rim > 0) < 0.03


def test_no_two_images_are_equal(digits: Dataset) -> None:
    both = np.concatenate([digits.train.images, digits.test.images])
    assert len(np.unique(both, axis=0)) == len(both)


def test_a_seed_gives_the_bytes_it_always_gave() -> None:
    """The bytes are fixed: with other digits, earlier results are no longer comparable."""
    assert digest(generate_digits(300, 250)) == GOLDEN
    assert digest(generate_digits(300, 250, seed=1)) != GOLDEN


GOLDEN = "3315be848d4af5c4b18e74cc166933e8bd4a306fb74e17901f4aed96fb182fdd"


def test_another_blas_and_other_loops_give_the_same_bytes() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:];"
        "from test_digits import digest, generate_digits; print(digest(generate_digits(300, 250)))"
    )
    features = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
    plain = {
        "OPENBLAS_CORETYPE": "Nehalem",
        "OPENBLAS_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": features,
    }
    command = [sys.executable, "-W", "ignore", "-c", code, *sys.path]
    out = subprocess.run(command, env=os.environ | plain, capture_output=True, text=True)
    assert out.stdout.strip() == GOLDEN, out.stderr


def test_the_one_sum_that_a_blas_orders_is_exact() -> None:
    warps, basis = module._draw_warps(np.random.default_rng(5), 2_000), module._make_basis()
    exact = warps.astype(np.float64) @ basis.astype(np.float64)
    np.testing.assert_array_equal(warps @ basis, exact)
    bound = np.abs(warps).astype(np.float64) @ np.abs(basis) * 2**16
    assert bound.max() < 2**24  # so no order of adding can round


def test_the_test_images_do_not_depend_on_the_number_of_training_images() -> None:
    few, more = generate_digits(150, 120), generate_digits(420, 120)
    np.testing.assert_array_equal(few.test.images, more.test.images)
    np.testing.assert_array_equal(few.test.labels, more.test.labels)
    np.testing.assert_array_equal(few.train.images[:100], more.train.images[:100])


def test_forms_divide_evenly_among_styles() -> None:
    assert all(module.FORMS % len(styles) == 0 for styles in STYLES)


@pytest.mark.parametrize(
    "wrong", [{"train": 0}, {"test": -1}, {"seed": -1}], ids=lambda wrong: next(iter(wrong))
)
def test_a_wrong_argument_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ArgumentError, match=f"^{next(iter(wrong))} must be a whole number"):
        generate_digits(**{"train": 10, "test": 10, **wrong})


def test_digits_are_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Dataset("digits", *[generate_digits(5, 5).test] * 2, tuple("0123456789"), (28, 28), "")
    monkeypatch.setattr("fastmlp.datasets.generate_digits", lambda: seen)
    assert load_dataset("digits") is seen


def accuracy(dataset: Dataset, hidden: int, learning_rate: float, epochs: int = 4) -> float:
    """Train 784-hidden-10 (784-10 for 0) by plain SGD, batch 32, linear schedule; test it."""
    rng = np.random.default_rng(0)
    x, y = dataset.train.images / np.float32(255), dataset.train.labels
    sizes = [784, hidden, 10] if hidden else [784, 10]
    shapes = list(pairwise(sizes))
    w = [rng.normal(0, (2 / i) ** 0.5, (i, o)).astype(np.float32) for i, o in shapes]
    b = [np.zeros(o, np.float32) for _, o in shapes]
    steps = len(x) // 32
    for epoch in range(epochs):
        for step, rows in enumerate(rng.permutation(len(x))[: steps * 32].reshape(-1, 32)):
            a = forward(x[rows], w, b)
            dz = np.exp(a[-1] - a[-1].max(axis=1, keepdims=True))
            dz /= dz.sum(axis=1, keepdims=True)
            dz[np.arange(32), y[rows]] -= 1
            rate = np.float32(learning_rate / 32 * (1 - (epoch * steps + step) / (epochs * steps)))
            for layer in reversed(range(len(w))):
                dw, db = a[layer].T @ dz, dz.sum(axis=0)
                dz = (dz @ w[layer].T) * (a[layer] > 0)
                w[layer] -= rate * dw
                b[layer] -= rate * db
    guess = forward(dataset.test.images / np.float32(255), w, b)[-1].argmax(axis=1)
    return float(np.mean(guess == dataset.test.labels))


def forward(x: Floats, w: list[Floats], b: list[Floats]) -> list[Floats]:
    a = [x]
    for layer in range(len(w)):
        z = a[-1] @ w[layer] + b[layer]
        a.append(np.maximum(z, 0) if layer < len(w) - 1 else z)
    return a


def test_a_network_beats_a_linear_classifier_by_far(digits: Dataset) -> None:
    """With a sixth of the images. All 60,000 make it 90 % and 98.7 %."""
    with threadpool_limits(1):  # such small products lose more to threads than they gain
        linear, network = accuracy(digits, 0, 0.1), accuracy(digits, 128, 0.5)
    assert 0.80 < linear < 0.95
    assert 0.94 < network < 0.99
    assert network > linear + 0.05
