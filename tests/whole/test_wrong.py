"""Wrong things in the place of every argument of every public function: a documented error, or the
right result; and those that are often met, with what the error says."""

import contextlib
import inspect

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import OTHER_NAMES, ArgumentError, FastMLPError

RNG = np.random.default_rng(0)
X, Y = RNG.random((12, 4)), np.arange(12) % 3
SPLIT = fastmlp.Split(X, Y)
DATA = fastmlp.Dataset("some", SPLIT, SPLIT, tuple("abc"), (2, 2), "here")


def network():
    return fastmlp.Network(4, 3)


def bare(method):
    """Return a method of a new network as a function."""

    def call(*args, **given):
        return getattr(network(), method)(*args, **given)

    call.__signature__ = inspect.signature(getattr(network(), method))
    return call


DATA_SETS = {"name": "mnist", "folder": "nowhere", "download": False}
# Each public function, with arguments that are right
FUNCTIONS = {
    "train": (fastmlp.train, {"network": network(), "split": (X, Y), "epochs": 1}),
    "find_learning_rate": (
        fastmlp.find_learning_rate,
        {"network": network(), "split": (X, Y), "start": 1.0, "mode": "halving", "samples": 5},
    ),
    "gradients": (fastmlp.gradients, {"network": network(), "images": X, "labels": Y}),
    "Network": (fastmlp.Network, {"sizes": (4, 2, 3)}),
    "evaluate": (bare("evaluate"), {"images": X, "labels": Y}),
    "accuracy": (bare("accuracy"), {"images": X, "labels": Y}),
    "predict": (bare("predict"), {"images": X}),
    "predict_proba": (bare("predict_proba"), {"images": X}),
    "save": (bare("save"), {"path": "model.safetensors"}),
    "load": (fastmlp.Network.load, {"path": "none.safetensors"}),
    "load_dataset": (fastmlp.load_dataset, DATA_SETS),
    "Split": (fastmlp.Split, {"images": X, "labels": Y}),
    "EarlyStopping": (fastmlp.EarlyStopping, {}),
    "Augmentation": (fastmlp.Augmentation, {}),
    "TimeLimit": (fastmlp.callbacks.TimeLimit, {"seconds": 1}),
    "CSVLog": (fastmlp.callbacks.CSVLog, {"path": "log.csv"}),
    **{
        made.__name__: (made, {})
        for made in vars(fastmlp.schedules).values()
        if inspect.isclass(made) and made.__module__ == fastmlp.schedules.__name__
    },
}


class Raises:
    """What cannot become an array, as a tensor that requires a gradient."""

    def __array__(self, *_, **__):
        raise RuntimeError("call detach first")


WRONG = (
    *(None, True, -1, 0, 3, 10**400, float("nan"), float("inf"), "abc", b"abc", [], {}, (1, 2, 3)),
    *([1, "a"], [[1], [2, 3]], object(), Raises(), zip(X, Y, strict=True), lambda *_: "no", X, Y),
    *(np.array(["a", "b"]), 1j, np.datetime64("2020"), DATA, SPLIT, [None] * 12),
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_taken_or_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, right = FUNCTIONS[name]
    parameters = inspect.signature(function).parameters
    if "backend" in parameters:
        right = {**right, "backend": "numpy"}
    found, refused = [], 0
    for argument in parameters:
        for number, value in enumerate(WRONG):
            given = {**right, argument: value}
            try:
                with contextlib.redirect_stdout(None), np.errstate(all="ignore"):
                    function(**given)
            except FastMLPError:
                refused += 1
            except Exception as error:
                found.append(
                    f"{argument}={value!r:.60} ({number}): {type(error).__name__}: {error}"
                )
    assert not found, "\n".join(found)
    assert refused > 5 * len(parameters)


def train(*given, **named):
    return fastmlp.train(network(), *given, **{"epochs": 1, "backend": "numpy", **named})


def replaced(name, value):
    own = network()
    setattr(own, name, value)
    return own


# What is called, and what its error says: argument, rule, what arrived or remedy
CASES = {
    "a 3-tuple": (lambda: train((X, Y, Y)), "split must be images and their labels.*a tuple of 3"),
    "zip": (lambda: train(zip(X, Y, strict=True)), "split must be .*got zip"),
    "pairs": (lambda: train(list(zip(X, Y, strict=True))), "split must be .*a list of 12"),
    "no data": (lambda: train(None), "split must be .*got None"),
    "images alone": (lambda: train(X), "split must be .*shape .12, 4."),
    "nothing": (lambda: train(), "train must fit .*missing a required argument: 'split'"),
    "a file": (lambda: train("train.csv"), "split must be .*got str"),
    "no class": (lambda: fastmlp.train(fastmlp.Network, (X, Y)), "network must be a Network"),
    "tested": (lambda: train(X, Y, validation=DATA), "validation must be .*got Dataset"),
    "percent": (lambda: train(X, Y, validation=10), "validation must leave at least one"),
    "all": (lambda: train(X, Y, validation=1.0), "validation must leave at least one"),
    "seed -1": (lambda: train(X, Y, seed=-1), "seed must be a whole number of at least 0"),
    "seed abc": (lambda: fastmlp.Network(4, 3, seed="abc"), "seed must be .*got 'abc'"),
    "nesterov": (lambda: train(X, Y, nesterov="no"), "nesterov must be True or False; got 'no'"),
    "array": (lambda: train(X, Y, schedule=lambda p: X), "schedule must return a number"),
    "text": (lambda: train(X, Y, schedule=lambda p: "1"), "schedule must return a number"),
    "huge": (
        lambda: train(X, Y, learning_rate=10**400),
        "learning_rate must be at most 1.798e.308",
    ),
    "threads": (lambda: train(X, Y, threads=10**30), "threads must be at most"),
    "folder": (lambda: train(X, Y, checkpoint=5), "checkpoint must be a path"),
    "per cent": (
        lambda: train(X, Y, target_accuracy=95),
        "target_accuracy must be at most 1.*0.95",
    ),
    "stop": (
        lambda: train(X, Y, early_stopping=True),
        "early_stopping must be .* number of epochs",
    ),
    "every": (lambda: train(X, Y, every=2), "every needs a folder of checkpoints"),
    "one size": (lambda: fastmlp.Network(784), "sizes must be two or more"),
    "no sizes": (
        lambda: fastmlp.Network(),
        "Network must fit .*missing a required argument: 'sizes'",
    ),
    "memory": (lambda: fastmlp.Network(10**6, 10**9), "sizes must fit into the .* GB"),
    "hidden": (
        lambda: fastmlp.Network((4, 3, 3), hidden=None),
        "hidden must be one name.*got None",
    ),
    "save": (lambda: network().save(None), "path must be a path.*got None"),
    "load": (lambda: fastmlp.load_dataset(None), "name must be a path.*got None"),
    "weights": (
        lambda: replaced("weights", [X.tolist()]).predict(X),
        "weights must be .*a list of 12",
    ),
    "float64": (
        lambda: replaced("weights", [X[:4, :3]]).predict(X),
        "weights must be .*got one float64",
    ),
    "None": (lambda: replaced("biases", None).save("x"), "biases must be .*got None"),
    "names": (lambda: replaced("class_names", ["a"]).save("x"), "class_names must be 3 names"),
    "labels": (lambda: fastmlp.Split([[1.0]], [0, 1]), "labels must be as many as the images"),
    "detach": (lambda: network().predict(Raises()), "images must be an array; got call detach"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_error_says_argument_rule_and_remedy(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, said = CASES[case]
    with pytest.raises(ArgumentError, match=said) as caught:
        call()
    assert str(caught.value).endswith(".")
    assert str(caught.value).startswith(caught.value.argument)


# What other libraries call an argument, or a slip of the pen, and its name here
NAMES = {
    "lr": "learning_rate",
    "learning_rate_init": "learning_rate",
    "validation_split": "validation",
    "optimiser": "optimizer",
    "batchsize": "batch_size",
    "n_epochs": "epochs",
    "random_state": "seed",
}


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_argument_is_told_the_near_one(name):
    for kind in (ArgumentError, TypeError):
        with pytest.raises(kind, match=f"^{name} must be .*{name}=1. Did you mean {NAMES[name]}?"):
            train(X, Y, **{name: 1})


@pytest.mark.parametrize(
    "name", sorted(set(FUNCTIONS) - {"predict", "predict_proba", "save", "load"})
)
def test_a_call_that_does_not_fit_is_no_bare_type_error(name):
    function, right = FUNCTIONS[name]
    with pytest.raises(ArgumentError, match=f"^nonsense must be an argument of {name}; got "):
        function(**right, nonsense=1)
    with pytest.raises(ArgumentError, match=f"^{name} must fit its arguments"):
        function(*["a"] * 40)


def test_each_other_name_leads_to_an_argument():
    own = {
        name
        for function, _ in FUNCTIONS.values()
        for name in inspect.signature(function).parameters
    }
    assert set(OTHER_NAMES.values()) <= own
    assert not {*OTHER_NAMES} & set(inspect.signature(fastmlp.train).parameters)
