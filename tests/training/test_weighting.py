"""Weights of samples and classes, smoothed labels, and runs that resume with them."""

import numpy as np
import pytest
from networks import TWINS, parameters, pixels, read

import fastmlp
from fastmlp.errors import ArgumentError
from fastmlp.functions import OPTIMIZERS
from fastmlp.kernels.team.plan import NAMES
from fastmlp.training.weighting import weights_for

BACKENDS = ["compiled", "numpy"]
# sizes, batch size and density of the images, for each plan of the compiled engine
PLANS = {
    "by columns": ((30, 5, 3), 16, 0.2),
    "columns, then rows": ((40, 100, 3), 16, 0.2),
    "by samples": ((28, 64, 64, 2), 256, 1.0),
    "by inputs": ((784, 16, 16, 10), 10, 0.2),
}


def made(count=96, inputs=12, classes=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, inputs)), rng.integers(0, classes, count)


def trained(data=None, until=None, **settings):
    """Train for some epochs, or stop after one; return the parameters and the history."""
    network = fastmlp.Network((12, 9, 3), "tanh", seed=1, dtype=settings.pop("dtype", "float64"))

    def stop(progress):
        if progress.epoch_ended and progress.epoch == until:
            raise KeyboardInterrupt

    settings = {"epochs": 3, "batch_size": 16, "backend": "numpy", **settings}
    history = fastmlp.train(network, data or made(), callbacks=[stop], **settings)
    return np.concatenate([p.ravel() for p in (*network.weights, *network.biases)]), history


def near(found, wanted, rtol=1e-9):
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("plan", NAMES.values())
def test_weighted_steps_agree_in_every_plan(plan, optimizer, dtype):
    sizes, batch, density = PLANS[plan]
    rng = np.random.default_rng(0)
    w, b = parameters(rng, sizes, dtype)
    count = 3 * batch + 5
    images, y = pixels(rng, count, sizes[0], density), rng.integers(0, sizes[-1], count)
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], count)
    weight[:batch] = 0  # the first step has the gradient 0
    results = []
    for module, kind in zip(TWINS, (dtype, np.float64), strict=True):
        own = [[p.astype(kind) for p in ps] for ps in (w, b)]
        names = ("tanh",) * (len(sizes) - 2) + ("softmax",)
        settings = {"epsilon": 0.1} if optimizer == "adam" else {}
        engine = module.Engine(
            *own, names, "cross_entropy", batch, optimizer, settings, smoothing=0.2
        )
        what = images, y, np.arange(count), np.full(4, 0.1), 1 / 255, 0, weight
        costs, right = engine.train(*what)
        if module is TWINS[0]:
            assert engine.plan_name == plan
        assert costs[0] == 0
        results.append(([costs, *read(engine, *own)], right))
    for mine, theirs in zip(results[0][0], results[1][0], strict=True):
        scale = max(1.0, float(np.abs(theirs).max()))
        assert np.abs(mine - theirs).max() <= 1e3 * np.finfo(dtype).eps * scale
    assert results[0][1] == pytest.approx(results[1][1], abs=0 if dtype == np.float64 else 3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_only_the_ratio_of_weights_counts(optimizer, backend):
    own = {"optimizer": optimizer, "backend": backend}
    parameters, history = trained(**own)
    for weight in (1, 2, 1e-200):
        found, weighted = trained(sample_weight=np.full(96, weight), **own)
        near(found, parameters, 1e-6)
        near(weighted.train_cost, history.train_cost)
        near(weighted.train_accuracy, history.train_accuracy)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
def test_whole_weights_are_repeated_samples(optimizer, backend):
    (images, labels), own = made(), {"optimizer": optimizer, "backend": backend}
    weight = np.random.default_rng(3).integers(0, 4, 96)
    repeated = np.repeat(images, weight, axis=0), np.repeat(labels, weight)
    wanted, several = trained(repeated, batch_size=1000, **own)
    found, weighted = trained(batch_size=1000, sample_weight=weight, **own)
    near(found, wanted, 1e-6)
    near(weighted.train_cost, several.train_cost)
    near(weighted.train_accuracy, several.train_accuracy)
    network = fastmlp.Network((12, 9, 3), dtype="float64")
    near(network.evaluate(images, labels, backend, weight), network.evaluate(*repeated, backend))
    mine, theirs = (
        fastmlp.gradients(network, images, labels, backend, weight),
        fastmlp.gradients(network, *repeated, backend),
    )
    near(mine[0], theirs[0])
    for one, other in zip((*mine[1], *mine[2]), (*theirs[1], *theirs[2]), strict=True):
        near(one, other)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_without_weight_changes_nothing(monkeypatch, backend, dtype):
    monkeypatch.setattr("fastmlp.training.run.CHUNK_SECONDS", 1e-9)  # a call for each step
    weight = np.zeros(96)
    weight[5] = 2.0
    for size in (1, 16):
        own = {"batch_size": size, "backend": backend, "dtype": dtype, "epochs": 1}
        found, history = trained(sample_weight=weight, **own)
        wanted, _ = trained((made()[0][5:6], made()[1][5:6]), **own | {"batch_size": 1})
        near(found, wanted, 1e-5)
        assert np.isfinite(history.train_cost[0])
        assert history.train_accuracy[0] in (0.0, 1.0)


def test_weights_of_classes_are_factors():
    y = np.array([0, 0, 0, 1, 3])
    # as sklearn.utils.class_weight.compute_sample_weight("balanced", y) returns
    balanced = [5 / 9, 5 / 9, 5 / 9, 5 / 3, 5 / 3]
    near(weights_for(y, 4, None, "balanced"), balanced)
    near(weights_for(y, 4, np.arange(5), "balanced"), np.arange(5) * balanced)
    for of_class in ({1: 2.0, 3: 0}, {True: 2, 3.0: 0}):
        near(weights_for(y, 4, None, of_class), [1, 1, 1, 2, 0])
    near(weights_for(np.array([[0.0], [1.0], [1.0]]), 1, None, "balanced"), [1.5, 0.75, 0.75])
    near(weights_for(np.eye(4)[y], 4, None, {0: 0.5}), [0.5, 0.5, 0.5, 1, 1])
    assert weights_for(y, 4, None, None) is None
    labels = made()[1]
    one, _ = trained(class_weight={0: 3, 2: 0.5})
    other, _ = trained(sample_weight=np.array([3, 1, 0.5])[labels])
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("output", "classes"), [("softmax", 3), ("sigmoid", 2)])
def test_smoothed_labels_are_targets_that_all_classes_share(output, classes, backend):
    """Each of several labels is there or not: two classes."""
    (images, labels), runs = made(), []
    targets = 0.9 * np.eye(3)[labels] + 0.1 / classes
    for y, smoothing in ((labels, 0.1), (np.eye(3)[labels], 0.1), (targets, 0.0)):
        network = fastmlp.Network((12, 9, 3), "tanh", output, seed=1, dtype="float64")
        own = {"epochs": 2, "learning_rate": 0.1, "backend": backend, "label_smoothing": smoothing}
        history = fastmlp.train(network, (images, y), validation=(images, labels), **own)
        runs.append([*network.weights, history.train_cost, history.train_accuracy])
        # that of the labels themselves
        assert history.validation_cost[-1] == network.evaluate(images, labels, backend).cost
    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            near(one, other)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_single_output_is_smoothed_as_two_classes(backend):
    images, labels = made(classes=2)
    runs = []
    for y, smoothing in ((labels, 0.2), (0.8 * labels[:, None] + 0.1, 0.0)):
        network = fastmlp.Network((12, 1), output="sigmoid", seed=1, dtype="float64")
        own = {"epochs": 2, "backend": backend, "label_smoothing": smoothing}
        history = fastmlp.train(network, (images, y), **own)
        runs.append([network.weights[0], history.train_cost, history.train_accuracy])
    for one, other in zip(*runs, strict=True):
        near(one, other)


@pytest.mark.parametrize("backend", BACKENDS)
def test_how_a_weighted_run_is_divided_changes_no_bit(monkeypatch, backend):
    found = []
    for seconds in (1e-9, 10.0):  # a call for each step, and one for more and more
        monkeypatch.setattr("fastmlp.training.run.CHUNK_SECONDS", seconds)
        weight = np.random.default_rng(2).random(96)
        own, history = trained(sample_weight=weight, backend=backend)
        found.append((own.tobytes(), history.train_cost, history.train_accuracy))
    assert found[0] == found[1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_halving_watches_the_weighted_cost(backend):
    weight = np.where(made()[1] == 0, 1.0, 0.0)
    _, history = trained(schedule="halving", sample_weight=weight, backend=backend, epochs=4)
    assert history.train_accuracy[-1] > 0.99


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_resumes_only_with_the_same_weights(tmp_path, backend):
    own = {
        "sample_weight": np.linspace(0, 1, 96),
        "class_weight": "balanced",
        "label_smoothing": 0.1,
        "clip_value": 0.01,
        "clip_norm": 0.02,
        "input_dropout": 0.1,
        "l1": 0.001,
        "backend": backend,
        "epochs": 4,
    }
    wanted, whole = trained(**own)
    with pytest.raises(KeyboardInterrupt):
        trained(until=2, checkpoint=tmp_path, **own)
    changes = {"sample_weight": np.linspace(0, 2, 96) ** 2, "class_weight": None}
    changes |= {"label_smoothing": 0.2, "clip_value": 0.02, "l1": 0.0}
    changes |= {"clip_norm": 0.03, "input_dropout": 0.0}
    for name, value in changes.items():
        with pytest.raises(ArgumentError, match="resume needs the same"):
            trained(checkpoint=tmp_path, resume=True, **own | {name: value})
    found, history = trained(checkpoint=tmp_path, resume=True, **own)
    assert (found.tobytes(), history.resumed_epoch) == (wanted.tobytes(), 2)
    assert history.train_cost == whole.train_cost
    assert history.train_accuracy == whole.train_accuracy


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sample_weight": np.ones(95)}, "sample_weight must be 96 numbers"),
        ({"sample_weight": "heavy"}, "sample_weight must be an array"),
        ({"sample_weight": np.zeros(96)}, "sample_weight must be finite, at least 0, and not all"),
        ({"sample_weight": np.full(96, -1)}, "sample_weight must be finite, at least 0"),
        ({"sample_weight": np.full(96, np.nan)}, "sample_weight must be finite"),
        ({"sample_weight": np.full(96, 1e308)}, "sample_weight must be finite"),
        ({"class_weight": "even"}, "class_weight must be a mapping of labels"),
        ({"class_weight": [1, 2, 3]}, "class_weight must be a mapping of labels"),
        ({"class_weight": {3: 1.0}}, "class_weight must have labels in 0 … 2"),
        ({"class_weight": {"a": 1.0}}, "class_weight must have labels in 0 … 2"),
        ({"class_weight": {1: -1.0}}, r"class_weight\[1\] must be a number of at least 0"),
        ({"class_weight": {1: np.inf}}, "class_weight must be finite"),
        ({"class_weight": {1.5: 1.0}}, "class_weight must have labels in 0 … 2; got 1.5"),
        ({"class_weight": dict.fromkeys(range(3), 0)}, r"class_weight must be .* not all zero"),
        ({"label_smoothing": 1.0}, "label_smoothing must be below 1"),
        ({"label_smoothing": -0.1}, "label_smoothing must be a number of at least 0"),
        ({"clip_value": 0.0}, "clip_value must be a number of at least 1e-30"),
        ({"clip_value": np.inf}, "clip_value must be finite"),
        ({"clip_norm": 0.0}, "clip_norm must be a number of at least 1e-30"),
        ({"input_dropout": 1.0}, "input_dropout must be below 1"),
        ({"input_dropout": "some"}, "input_dropout must be a number of at least 0"),
        ({"l1": -1.0}, "l1 must be a number of at least 0"),
    ],
)
def test_what_cannot_be_used_is_refused(wrong, message):
    with pytest.raises(ArgumentError, match=message):
        trained(**wrong)


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
def test_classes_have_weights_only_where_a_sample_has_one(output):
    cost = "squared_error" if output == "identity" else "cross_entropy"
    network = fastmlp.Network((2, 2), output=output, cost=cost)
    y = np.array([[0, 1], [1, 1]])
    with pytest.raises(
        ArgumentError,
        match=r"class_weight is for samples .* Leave it out; in Python, sample_weight",
    ):
        fastmlp.train(network, (y, y), class_weight="balanced", epochs=1, backend="numpy")


def test_smoothing_needs_cross_entropy():
    network = fastmlp.Network((12, 3), cost="squared_error")
    with pytest.raises(ArgumentError, match="label_smoothing needs the cost cross_entropy"):
        fastmlp.train(network, made(), label_smoothing=0.1)
