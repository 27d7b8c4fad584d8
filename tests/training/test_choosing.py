"""What users say of an optimiser: names, settings, rates and factors; and runs that resume."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError
from fastmlp.functions import OPTIMIZERS
from fastmlp.training import checkpoint
from fastmlp.training.choosing import choose_optimizer, rate_factors_for

BACKENDS = ["compiled", "numpy"]


def made(count=200):
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (count, 36), np.uint8)
    images[rng.random(images.shape) > 0.3] = 0
    return images, rng.integers(0, 4, count)


def trained(until=None, **settings):
    """Train for six epochs, or stop after some; return a fingerprint and the history."""
    network = fastmlp.Network((36, 12, 4), seed=1, dtype=settings.pop("dtype", "float32"))

    def stop(progress):
        if progress.epoch_ended and progress.epoch == until:
            raise KeyboardInterrupt

    settings = {"epochs": 6, "batch_size": 16, "backend": "numpy", **settings}
    history = fastmlp.train(network, made(), callbacks=[stop], **settings)
    parameters = (*network.weights, *network.biases)
    return hashlib.sha256(b"".join(p.tobytes() for p in parameters)).hexdigest(), history


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_optimiser_learns_at_its_own_rate_and_resumes_with_the_same_bits(
    tmp_path, optimizer, backend
):
    for dtype, extra in (
        ("float32", {}),
        ("float64", {"rate_factors": (0.5, 2.0), "bias_rate_factor": 3.0}),
    ):
        settings = {"optimizer": optimizer, "backend": backend, "dtype": dtype, **extra}
        wanted, whole = trained(**settings)
        assert whole.train_cost[-1] < whole.train_cost[0]
        assert whole.learning_rate == [OPTIMIZERS[optimizer].learning_rate] * 6
        folder = tmp_path / dtype
        with pytest.raises(KeyboardInterrupt):
            trained(4, checkpoint=folder, **settings)
        got, history = trained(checkpoint=folder, resume=True, **settings)
        assert (got, history.resumed_epoch) == (wanted, 4)
        assert history.train_cost == whole.train_cost


@pytest.mark.parametrize("backend", BACKENDS)
def test_how_a_run_is_divided_changes_no_bit(monkeypatch, backend):
    for optimizer in OPTIMIZERS:
        found = set()
        for seconds in (1e-9, 10.0):  # a call for each step, and one for more and more
            monkeypatch.setattr("fastmlp.training.run.CHUNK_SECONDS", seconds)
            found.add(trained(optimizer=optimizer, backend=backend, epochs=3)[0])
        assert len(found) == 1, optimizer


def test_names_that_mean_the_same_give_the_same_bits():
    same = [
        ({"momentum": 0.5}, {"optimizer": "momentum", "momentum": 0.5}),
        (
            {"optimizer": "momentum", "nesterov": True},
            {"optimizer": "nesterov", "optimizer_settings": {"momentum": 0.9}},
        ),
        (
            {"optimizer": "adam", "weight_decay": 0.1},
            {"optimizer": "adam", "optimizer_settings": {"weight_decay": 0.1, "beta_1": 0.9}},
        ),
        ({}, {"optimizer": "sgd", "learning_rate": 0.5, "rate_factors": [1, 1]}),
        ({}, {"momentum": 0.0, "weight_decay": 0.0}),
    ]
    for one, other in same:
        assert trained(**one)[0] == trained(**other)[0]


def test_every_setting_and_factor_changes_the_run():
    for optimizer, row in OPTIMIZERS.items():
        runs = [{}, {"rate_factors": [1, 0.5]}, {"bias_rate_factor": 0.5}, {"learning_rate": 0.02}]
        runs += [{"optimizer_settings": {n: s.tried}} for n, s in row.settings.items()]
        assert len({trained(optimizer=optimizer, **run)[0] for run in runs}) == len(runs), optimizer


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_factor_of_0_keeps_a_layer_or_the_biases(optimizer, backend):
    start = fastmlp.Network((36, 12, 4), seed=1)
    for factors, kept in (
        ({"rate_factors": [0, 1]}, [True, False, True, False]),
        ({"bias_rate_factor": 0}, [False, False, True, True]),
    ):
        network = fastmlp.Network((36, 12, 4), seed=1)
        settings = {"epochs": 1, "batch_size": 16, "backend": backend, "weight_decay": 0.1}
        fastmlp.train(network, made(), optimizer=optimizer, **settings, **factors)
        pairs = zip(
            (*start.weights, *start.biases), (*network.weights, *network.biases), strict=True
        )
        assert [np.array_equal(*pair) for pair in pairs] == kept


@pytest.mark.parametrize("backend", BACKENDS)
def test_sgd_with_factors_is_sgd_with_another_rate_of_each_layer(backend):
    networks = [fastmlp.Network((36, 12, 4), seed=1, dtype="float64") for _ in range(2)]
    settings = {"epochs": 1, "batch_size": 16, "backend": backend, "weight_decay": 0.01}
    fastmlp.train(networks[0], made(), learning_rate=0.2, **settings)
    half = {"rate_factors": [0.5, 0.5], "bias_rate_factor": 1.0}
    fastmlp.train(networks[1], made(), learning_rate=0.4, **half, **settings)
    for one, other in zip(*(n.weights + n.biases for n in networks), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adan"}, "optimizer must name an optimizer; got 'adan'. Did you mean ada"),
        ({"optimizer": "adamW"}, r"got 'adamW'. Did you mean adamw\?"),
        ({"optimizer": None}, "optimizer must name an optimizer; got None. Choose from sgd, "),
        (
            {"optimizer": "adam", "optimizer_settings": {"beta1": 0.9}},
            "must be settings of adam; got 'beta1'. Did you mean beta_1",
        ),
        ({"optimizer_settings": {"x": 1}}, "Choose from weight_decay"),
        ({"optimizer_settings": 3}, "optimizer_settings must map names to numbers"),
        ({"optimizer_settings": {"weight_decay": "a"}}, "weight_decay must be a number"),
        ({"optimizer": "adam", "optimizer_settings": {"beta_2": 1}}, "beta_2 must be below 1"),
        ({"optimizer": "adam", "optimizer_settings": {"epsilon": 0}}, "epsilon must be a number"),
        (
            {"optimizer": "adam", "momentum": 0.9},
            "momentum is no setting of adam; got 0.9. Leave",
        ),
        ({"optimizer": "adam", "nesterov": True}, "nesterov is for momentum"),
        (
            {"weight_decay": 0.1, "optimizer_settings": {"weight_decay": 0.1}},
            "must not contain 'weight_decay' too",
        ),
        ({"learning_rate": np.inf}, "learning_rate must be finite"),
        ({"rate_factors": [1.0]}, "rate_factors must be 2 finite numbers"),
        ({"rate_factors": [1.0, -1]}, "rate_factors must be 2 finite numbers"),
        ({"rate_factors": "ab"}, "rate_factors must be 2 finite numbers"),
        ({"rate_factors": [1.0, np.nan]}, "rate_factors must be 2 finite numbers"),
        ({"optimizer_settings": {"weight_decay": None}}, "weight_decay must be a number"),
        ({"bias_rate_factor": None}, "bias_rate_factor must be a number"),
        ({"bias_rate_factor": -1}, "bias_rate_factor must be a number"),
        ({"bias_rate_factor": np.inf}, "bias_rate_factor must be finite"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        trained(**settings)


def test_factors_that_are_all_1_are_none():
    assert rate_factors_for(3, None, 1.0) is None
    assert rate_factors_for(2, [1, 1], 1) is None
    np.testing.assert_array_equal(rate_factors_for(2, (2, 0.5), 3), [[2, 6], [0.5, 1.5]])


def test_dropout_is_checked_without_hidden_layers():
    with pytest.raises(ArgumentError, match="must be at least 0 and below 1, for 0 hidden layers"):
        fastmlp.train(fastmlp.Network(36, 4), made(), dropout=1)


def test_the_documentation_lists_the_table():
    documented = [line.strip() for line in fastmlp.train.__doc__.splitlines()]
    for row in OPTIMIZERS.values():
        rate = f"{row.name}: learning_rate={row.learning_rate:g}"
        assert any(line.startswith(rate) for line in documented)
    page = Path(__file__).parents[2].joinpath("fastmlp/training/README.md").read_text()
    lines = [[cell.strip() for cell in line.split("|")] for line in page.splitlines()]
    for name, row in OPTIMIZERS.items():
        (cells,) = [cells for cells in lines if len(cells) == 5 and name in cells[1].split(", ")]
        own = {
            n: s.default for n, s in row.settings.items() if (n, s.default) != ("weight_decay", 0)
        }
        assert cells[2] == f"{row.learning_rate:g}"
        assert set(cells[3].split(", ")) - {""} == {f"{n} {value:g}" for n, value in own.items()}


def test_a_run_of_an_earlier_version_is_resumed(tmp_path):
    """Its checkpoints have the arguments of SGD, and not yet a choice of the optimiser."""
    given = {"momentum": 0.5, "nesterov": True, "weight_decay": 0.01}
    wanted, _ = trained(**given)
    with pytest.raises(KeyboardInterrupt):
        trained(3, checkpoint=tmp_path, **given)
    path = max(tmp_path.iterdir())
    state = checkpoint.read(path)
    identity = state.facts["identity"]
    for name in ("optimizer", "optimizer_settings", "rate_factors"):
        del identity[name]
    identity |= given
    path.write_bytes(checkpoint.to_bytes(state))
    other = {**given, "weight_decay": 0.02}
    with pytest.raises(ArgumentError, match="resume needs the same optimizer_settings"):
        trained(checkpoint=tmp_path, resume=True, **other)
    got, history = trained(checkpoint=tmp_path, resume=True, **given)
    assert (got, history.resumed_epoch) == (wanted, 3)


def test_a_choice_is_complete():
    choice = choose_optimizer("nadam", {"beta_1": np.float32(0.5)})
    assert choice.optimizer_settings == OPTIMIZERS["nadam"].complete({"beta_1": 0.5})
    assert (choice.optimizer, choice.learning_rate) == ("nadam", 0.002)
    assert choose_optimizer(momentum=0.9, nesterov=True).optimizer == "nesterov"
