"""Averages of parameters are those of the formulas, for both backends and after a resume."""

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError
from fastmlp.training.averaging import AVERAGES, STEPS, average_for
from fastmlp.training.schedules import schedule_named

SIZES, COUNT, BATCH = (12, 9, 3), 500, 5
SETTINGS = {"epochs": 4, "batch_size": BATCH, "learning_rate": 0.2, "optimizer": "adam"}


def made():
    rng = np.random.default_rng(3)
    return rng.normal(size=(COUNT, 12)).astype(np.float32), rng.integers(0, 3, COUNT)


def trained(**changes):
    """Return the parameters after a run, those after each of its epochs, and the history."""
    network, after = fastmlp.Network(SIZES, seed=1, dtype="float64"), []

    class Watch:
        def on_epoch_end(self, progress):
            after.append([a.copy() for a in (*network.weights, *network.biases)])

    settings = {**SETTINGS, "learning_rate": 0.01, "callbacks": Watch(), **changes}
    history = fastmlp.train(network, made(), **settings)
    return [*network.weights, *network.biases], after, history


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
@pytest.mark.parametrize("count", [1, 3, 9])
def test_last_is_the_mean_after_the_last_epochs(backend, count):
    _, plain, _ = trained(backend=backend)
    got, after, _ = trained(backend=backend, average=f"last:{count}")
    for epoch in range(4):
        for found, *points in zip(after[epoch], *plain[: epoch + 1][-count:], strict=True):
            np.testing.assert_allclose(found, np.mean(points, axis=0), rtol=1e-12)
    assert all(map(np.array_equal, got, after[-1]))


@pytest.mark.parametrize(("decay", "steps"), [(0.0, 1), (0.9, 1), (0.99, 12), (0.999, STEPS)])
@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_ema_is_the_average_of_all_steps_that_were_read(backend, decay, steps):
    batch = BATCH
    got, _, _ = trained(backend=backend, average=f"ema:{decay}")
    network = fastmlp.Network(SIZES, seed=1, dtype="float64")
    kernels = fastmlp.backends.backend_named(backend)
    engine = kernels.Engine(
        network.weights, network.biases, network.activations, network.cost, batch, "adam"
    )
    (x, y), generator = made(), np.random.default_rng(0)
    points, step = [], 0
    for _ in range(4):
        order, done = generator.permutation(COUNT), 0
        while done < COUNT // batch:
            last = min(done + steps, COUNT // batch)
            samples = order[done * batch : last * batch]
            engine.train(x, y, samples, np.full(last - done, 0.01), 1.0, step + done)
            engine.read(network.weights, network.biases)
            points.append((step + last, [a.copy() for a in (*network.weights, *network.biases)]))
            done = last
        step += done
    # (1 - d) d^age, summed over the steps that each of the points stands for
    begins = [0, *(at for at, _ in points)]
    shares = [
        decay ** (step - at) - decay ** (step - a)
        for a, (at, _) in zip(begins, points, strict=False)
    ]
    wanted = [
        sum(share * arrays[n] for share, (_, arrays) in zip(shares, points, strict=True))
        for n in range(len(got))
    ]
    for found, array in zip(got, wanted, strict=True):
        np.testing.assert_allclose(found, array / sum(shares), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", AVERAGES)
def test_the_cost_of_training_is_that_without_an_average(name):
    _, _, plain = trained()
    _, after, history = trained(average=name, validation=made())
    assert history.train_cost == plain.train_cost
    network = fastmlp.Network(SIZES, dtype="float64")
    network.weights, network.biases = after[-1][:2], after[-1][2:]
    assert network.evaluate(*made()).cost == pytest.approx(history.validation_cost[-1])


@pytest.mark.parametrize("name", AVERAGES)
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, name):
    wanted, _, _ = trained(average=name)
    stop = [lambda progress: progress.epoch == 2 and progress.epoch_ended]
    halfway, _, _ = trained(average=name, checkpoint=tmp_path, callbacks=stop)
    got, _, history = trained(average=name, checkpoint=tmp_path, resume=True)
    assert history.resumed_epoch == 2
    assert all(map(np.array_equal, got, wanted))
    assert not all(map(np.array_equal, halfway, wanted))
    with pytest.raises(ArgumentError, match="average"):
        trained(checkpoint=tmp_path, resume=True)


def test_parameters_that_a_callback_writes_restart_the_average():
    def run(average):
        network = fastmlp.Network(SIZES, seed=1)

        def write(progress):
            if progress.epoch == 3 and progress.epoch_ended:
                for array in (*network.weights, *network.biases):
                    array[...] = 0.5

        fastmlp.train(network, made(), average=average, callbacks=write, **SETTINGS)
        return [*network.weights, *network.biases]

    assert all(map(np.array_equal, run("last:4"), run(None)))


@pytest.mark.parametrize("text", ["mean", "ema:1", "ema:x", "last:0", "last:1.5", 3, ""])
def test_a_wrong_average_is_refused(text):
    with pytest.raises(ArgumentError, match="average"):
        average_for(schedule_named("constant"), text)
    with pytest.raises(ArgumentError, match="average"):
        trained(average="ema", schedule="halving")
