"""Wrong things in the place of every argument of every public function: a documented error, or the
right result; and those that are often met, with what the error says."""

import contextlib
import inspect
import itertools

import numpy as np
import pytest
from click.testing import CliRunner
from wrong import ATTRIBUTES, COMMANDS, DATA, FUNCTIONS, TEXTS, WRONG, Raises, X, Y, network

import fastmlp
from fastmlp.cli import main
from fastmlp.errors import OTHER_NAMES, ArgumentError, FastMLPError


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
            except FastMLPError as error:
                refused += 1
                if len(str(error)) > 1000 and not isinstance(value, str):  # a path is not cut
                    found.append(f"{argument}={value!r:.60}: an error of {len(str(error))}")
            except Exception as error:
                found.append(
                    f"{argument}={value!r:.60} ({number}): {type(error).__name__}: {error}"
                )
    assert not found, "\n".join(found)
    assert refused > 5 * len(parameters) or name == "Dataset"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_taken_or_refused_in_one_line(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("some.npz", X=X, y=Y)
    np.save("one.npy", X[0])
    network().save("some.safetensors")
    found, refused = [], 0
    options = [p for p in main.commands[command].params if not getattr(p, "is_flag", True)]
    for option, text in itertools.product(options, TEXTS):
        arguments = [command, *COMMANDS[command], f"{option.opts[0]}={text}"]
        result = CliRunner().invoke(main, arguments)
        last = result.stderr.splitlines()[-1:] == [] or result.stderr.splitlines()[-1]
        refused += result.exit_code != 0
        is_error = result.exit_code in (1, 2) and str(last).startswith("Error: ")
        if not (result.exit_code == 0 or is_error) or "Traceback" in result.output:
            found.append(f"{option.opts[0]}={text:.30}: {result.exception!r} {last}")
    assert not found, "\n".join(found)
    assert refused > 2 * len(options)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_every_attribute_is_taken_or_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own, found, refused = network(), [], 0
    right = getattr(own, name)
    uses = (
        lambda: own.predict(X[0], "numpy"),
        lambda: own.evaluate(X, Y, "numpy"),
        lambda: (own.save("own.safetensors"), fastmlp.Network.load("own.safetensors")),
        lambda: fastmlp.train(own, X, Y, epochs=0, backend="numpy"),
    )
    for value in WRONG:
        for number, use in enumerate(uses):
            try:
                setattr(own, name, value)
                use()
            except FastMLPError:
                refused += 1
            except Exception as error:
                found.append(f"{value!r:.60} in use {number}: {type(error).__name__}: {error}")
            own.__dict__ = {**network().__dict__, name: right}
    assert not found, "\n".join(found)
    assert refused > len(WRONG)


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
    "no folder": (lambda: train(X, Y, checkpoint=""), "checkpoint must be a path.*got ''"),
    "metric": (lambda: train(X, Y).loss("r2"), "name must name .*'r2'. Choose from cost, accuracy"),
    "epoch": (lambda: train(X, Y).row(5), "epoch must be at least 0 and below .*; got 5"),
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
    "load": (
        lambda: fastmlp.load_dataset(None),
        "name must be a name, a path or a DataFrame.*got None",
    ),
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
    "a table": (
        lambda: fastmlp.load_dataset(np.ones((40, 9))),
        r"name must be a name, a path or .*; got array\(\[\[1., 1., .*…. Pass .*train takes arrays",
    ),
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
    "X_val": "validation",
}


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_argument_is_told_the_near_one(name):
    for kind in (ArgumentError, TypeError):
        with pytest.raises(kind, match=f"^{name} must be .*{name}=1. Did you mean {NAMES[name]}?"):
            train(X, Y, **{name: 1})


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"rehearse"}))
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
