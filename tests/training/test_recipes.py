"""Recipes are arguments of train, from Python and on the command line."""

import inspect
import json

import pytest
from click.testing import CliRunner

import fastmlp
from fastmlp.cli import main
from fastmlp.training import RECIPES

SMALL = ("--epochs", "1", "--backend", "numpy", "--hidden-layers", "8", "--json")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_arguments_of_train(name):
    recipe = RECIPES[name]
    assert recipe.settings.keys() <= inspect.signature(fastmlp.train).parameters.keys()
    network = fastmlp.Network(784, *recipe.hidden, 10)
    assert len(network.weights) == len(recipe.hidden) + 1


def trained(tmp_path, digits, *options):
    small = {"x_train": digits.train.images[:300], "y_train": digits.train.labels[:300]}
    small |= {"x_test": digits.test.images[:50], "y_test": digits.test.labels[:50]}
    import numpy as np

    np.savez(tmp_path / "some.npz", **small)
    where = ("--dataset", str(tmp_path / "some.npz"), "--model", str(tmp_path / "m.safetensors"))
    done = CliRunner().invoke(main, ["train", *where, *options])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_options_that_are_given_come_before_those_of_the_recipe(tmp_path, digits):
    found = trained(tmp_path, digits, "--recipe", "98.5", *SMALL, "--learning-rate", "0.125")
    settings = found["settings"]
    assert found["network"]["sizes"] == [784, 8, 10]
    assert (settings["epochs"], settings["learning_rate"]) == (1, 0.125)
    assert settings["batch_size"] == RECIPES["98.5"].settings["batch_size"]
    assert settings["augment"]["rotation"] == RECIPES["98.5"].settings["augment"].rotation
    assert settings["optimizer"] == "sgd"
    sizes = ("--sizes", "784,5,10", "--epochs", "1", "--backend", "numpy", "--json")
    found = trained(tmp_path, digits, "--recipe", "98.5", *sizes)
    assert found["network"]["sizes"] == [784, 5, 10]


def test_on_a_table_a_recipe_has_its_optimizer_too(tmp_path):
    lines = [f"{n % 7},{n % 5},{'ab'[n % 2]}" for n in range(80)]
    (tmp_path / "t.csv").write_text("x,y,kind\n" + "\n".join(lines))
    command = ["train", f"--dataset={tmp_path / 't.csv'}", f"--model={tmp_path / 'm'}"]
    done = CliRunner().invoke(main, [*command, "--recipe", "fast", *SMALL])
    assert json.loads(done.stdout)["settings"]["optimizer"] == "sgd"


def test_an_unknown_recipe_is_refused():
    done = CliRunner().invoke(main, ["train", "--recipe", "97"])
    assert done.exit_code == 2
    assert "98.5" in done.output
