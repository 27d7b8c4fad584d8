"""Training on augmented images: the same bits however it is done, and what is never changed."""

import numpy as np
import pytest
from networks import fingerprint, pixels

import fastmlp
from fastmlp import Augmentation
from fastmlp.errors import ArgumentError
from fastmlp.training import augmenting

ALL = Augmentation(shift=1, rotation=20, scale=0.1, elastic=(8, 2))
SETTINGS = {"epochs": 4, "batch_size": 16, "learning_rate": 0.2, "seed": 3}


def made(count=200, inputs=36, density=0.3):
    rng = np.random.default_rng(0)
    return pixels(rng, count, inputs, density), rng.integers(0, 4, count)


def trained(data=None, dtype="float32", **changes):
    images, labels = data or made()
    network = fastmlp.Network((images.shape[1], 12, 4), seed=1, dtype=dtype)
    settings = {**SETTINGS, "augment": ALL, **changes}
    history = fastmlp.train(network, (images, labels), **settings)
    return fingerprint(*network.weights, *network.biases), history


def test_the_bits_depend_on_seed_and_settings_only(monkeypatch):
    wanted, history = trained()
    for threads in (1, 2, 3):
        assert trained(threads=threads)[0] == wanted
    for samples in (1, 40):  # made at once
        monkeypatch.setattr(augmenting, "MADE_BYTES", 36 * samples)
        found, other = trained()
        assert found == wanted
        assert other.train_cost == history.train_cost
    assert trained(seed=np.random.default_rng(3))[0] == wanted
    for changes in ({"seed": 4}, {"augment": Augmentation(shift=1)}, {"augment": None}):
        assert trained(**changes)[0] != wanted


@pytest.mark.parametrize("inputs", [25, 36])
@pytest.mark.parametrize("density", [0.3, 1.0])
def test_both_backends_take_the_same_run(inputs, density):
    data = made(100, inputs, density)
    runs = [trained(data, "float64", backend=name)[1] for name in ("numpy", "compiled")]
    np.testing.assert_allclose(runs[0].train_cost, runs[1].train_cost, rtol=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
@pytest.mark.parametrize("schedule", ["linear", "halving"])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, backend, schedule):
    settings = {"backend": backend, "schedule": schedule}
    wanted, whole = trained(**settings)
    ends = [lambda progress: progress.epoch_ended and progress.epoch == 2]
    trained(checkpoint=tmp_path, callbacks=ends, **settings)
    found, history = trained(checkpoint=tmp_path, resume=True, **settings)
    assert (found, history.resumed_epoch) == (wanted, 2)
    assert history.train_cost == whole.train_cost


def test_a_run_resumes_with_the_same_augmentation_only(tmp_path):
    trained(checkpoint=tmp_path, epochs=2)
    other = Augmentation(shift=2)
    for augment in (other, None):
        with pytest.raises(ArgumentError, match="resume needs the same augment as before"):
            trained(checkpoint=tmp_path, epochs=2, resume=True, augment=augment)


def test_images_of_an_epoch_are_those_of_its_samples_in_any_order():
    images, _ = made(100)
    backend = fastmlp.backends.backend_named("compiled")
    make = augmenting.Augmenter(ALL, images, 100, np.random.default_rng(0), backend, None)
    order = np.random.default_rng(1).permutation(100)
    epochs = [make(images, np.arange(100), epoch).copy() for epoch in (0, 1, 0)]
    np.testing.assert_array_equal(make(images, order, 0), epochs[0][order])
    np.testing.assert_array_equal(epochs[0], epochs[2])
    assert (epochs[0] != epochs[1]).any(axis=1).all()
    assert (epochs[0] != images).any(axis=1).all()


def test_data_and_validation_are_not_changed():
    images, labels = made()
    before = images.copy()
    network = fastmlp.Network((36, 12, 4), seed=1)
    history = fastmlp.train(
        network, (images, labels), validation=(images, labels), augment=ALL, **SETTINGS
    )
    np.testing.assert_array_equal(images, before)
    assert history.validation_cost[-1] == network.evaluate(images, labels).cost


def test_other_images_and_arguments_are_refused():
    images, labels = made()
    for bad in (images[:, :35], images.astype(np.float32)):
        with pytest.raises(ArgumentError, match="augment needs square images of uint8"):
            trained((bad, labels))
    with pytest.raises(ArgumentError, match="augment must be an Augmentation"):
        trained(augment={"shift": 2})


def test_shifted_digits_are_learned_better(digits):
    """A network that saw shifted images knows other shifted images better."""
    images = digits.test.images.reshape(-1, 28, 28)
    shifted = np.roll(images, (2, 2), (1, 2)).reshape(-1, 784)
    accuracy = {}
    for augment in (None, Augmentation(shift=2)):
        network = fastmlp.Network((784, 32, 10))
        fastmlp.train(network, digits.train, augment=augment, epochs=6, learning_rate=0.3)
        accuracy[augment] = network.accuracy(shifted, digits.test.labels)
    assert accuracy[Augmentation(shift=2)] > accuracy[None] + 0.1
