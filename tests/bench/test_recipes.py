"""The scripts that measure recipes: their table, and the changes of images in JAX."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import reference
from fastmlp.functions.augmentation import ONE, Augmentation, Changes, draw_changes, draw_fields
from fastmlp.training.recipes import RECIPES

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the benchmarks are not here")
SIDE, COUNT = 12, 4000
ALL = Augmentation(2, 30, 0.3, (20, 2))


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def peer(script):
    pytest.importorskip("jax")
    return script("augment_jax")


def drawn(peer, seed):
    """Return fields and changes by JAX, as the reference takes them, and as JAX does."""
    jax = pytest.importorskip("jax")
    keys = jax.random.split(jax.random.key(seed), 2)
    fields, theirs = peer.draw_fields(ALL, keys[0], SIDE), peer.draw_changes(ALL, keys[1], (COUNT,))
    (c, s), (right, down) = np.float64(theirs.turns).T, np.float64(theirs.shifts).T
    middle = (SIDE - 1) / 2
    offsets = [middle - a * (middle + right) - b * (middle + down) for a, b in ((c, s), (-s, c))]
    maps = np.stack([c, s, offsets[0], -s, c, offsets[1]], 1)
    own = (np.int64(np.rint(maps * ONE)), np.int64(theirs.picks))
    return Changes(*own, np.int32(np.rint(np.asarray(fields) * ONE))), theirs, fields


def test_jax_changes_images_as_the_reference_does(peer):
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE * SIDE), np.uint8)
    own, theirs, fields = drawn(peer, 0)
    wanted = np.empty_like(images)
    reference.augment(images, np.arange(COUNT), own, wanted)
    found = peer.change(images.reshape(-1, SIDE, SIDE), theirs, fields)
    # the reference cuts positions to 2^-8 pixels, in x and in y, and rounds pixels
    difference = np.asarray(found).reshape(images.shape) - wanted
    assert abs(difference).max() <= 2 * 255 / 256 + 0.51


def test_changes_by_jax_have_the_distribution_of_the_package(peer):
    """Mean, deviation and extremes agree within five standard errors, of 4,000 images."""
    fields = draw_fields(ALL, 0, 0, SIDE)
    own, theirs = draw_changes(ALL, 0, 0, np.arange(COUNT), fields), drawn(peer, 1)[0]
    for one, other in ((own.maps / ONE, theirs.maps / ONE), (own.picks, theirs.picks)):
        error = one.std(0) / COUNT**0.5
        np.testing.assert_array_less(abs(one.mean(0) - other.mean(0)), 5 * 2**0.5 * error)
        np.testing.assert_allclose(one.std(0), other.std(0), rtol=5 / COUNT**0.5)
        np.testing.assert_allclose(np.ptp(one, 0), np.ptp(other, 0), rtol=0.1)


def test_fields_by_jax_have_the_distribution_of_the_package(peer):
    jax = pytest.importorskip("jax")
    keys = jax.random.split(jax.random.key(0), 20)
    own = np.concatenate([draw_fields(ALL, 0, k, SIDE) / ONE for k in range(20)])
    theirs = np.concatenate([np.asarray(peer.draw_fields(ALL, key, SIDE)) for key in keys])
    assert own.shape == theirs.shape
    np.testing.assert_allclose(own.std(0), theirs.std(0), rtol=0.15)
    near, far = ((own[:, 5, 5] * own[:, 5, 5 + k]).mean() for k in (1, 4))
    found = [(theirs[:, 5, 5] * theirs[:, 5, 5 + k]).mean() for k in (1, 4)]
    np.testing.assert_allclose(found, [near, far], atol=0.1 * own.var())
    assert draw_fields(Augmentation(1), 0, 0, SIDE).size == 0
    assert peer.draw_fields(Augmentation(1), keys[0], SIDE) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--seeds", "0"], "'--seeds': 0 is not in the range"),
        (["--jax", "-1"], "'--jax': -1 is not in the range"),
        (["--jax", "1"], "--jax needs JAX"),
    ],
)
def test_what_cannot_be_measured_is_refused_first(script, monkeypatch, given, said):
    recipes = script("recipes")
    monkeypatch.setattr(recipes, "is_installed", lambda name: name != "jax", raising=False)
    monkeypatch.setattr(recipes, "run", lambda *_: (0.9, 1.0, 1.0))
    done = CliRunner().invoke(recipes.main, ["fast", *given])
    assert done.exit_code == 2
    assert said in done.output


def test_a_row_says_how_many_epochs_it_is_of(script):
    row = script("recipes").row
    runs = [(0.99, 2.0, 4.0), (0.98, 1.0, 3.0)]
    rest = "98.50 ± 0.71 % | 98.00 % | 1.5 s | 3.5 s |"
    full = RECIPES["99"].settings["epochs"]
    assert row("99", runs) == f"| `99` | 784-512-256-10 | {full} | {rest}"
    peer = row("99", runs, 3, " with JAX")
    assert peer == f"| `99` with JAX | 784-512-256-10 | 3 of {full} | {rest}"
