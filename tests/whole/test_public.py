"""What users build on stays: public names, parameters, and the keys of the JSON documents."""

import inspect
import json

import pytest
from click.testing import CliRunner

import fastmlp
from fastmlp.cli import main

NAMES = [
    *("Network", "Evaluation", "train", "History", "Progress", "EarlyStopping", "gradients"),
    *("find_learning_rate", "load_dataset", "Dataset", "Split", "FastMLPError", "ArgumentError"),
    *("schedules", "callbacks", "Augmentation"),
    *("DataError", "DataUnavailableError", "DivergedError", "ModelError", "UnwritableError"),
]
PARAMETERS = {
    "Network": ["sizes", "hidden", "output", "cost", "seed", "dtype"],
    "train": [
        *("network", "split", "epochs", "batch_size", "optimizer", "optimizer_settings"),
        *("learning_rate", "momentum", "nesterov", "weight_decay", "rate_factors"),
        *(
            "bias_rate_factor",
            "schedule",
            "validation",
            "early_stopping",
            "target_accuracy",
            "seed",
        ),
        *("threads", "backend", "callbacks", "checkpoint", "every", "resume"),
        *("warmup", "max_seconds", "sample_weight", "class_weight", "label_smoothing"),
        *("clip_value", "l1", "augment", "input_dropout", "clip_norm"),
    ],
    "find_learning_rate": [
        *("network", "split", "start", "batch_size", "samples", "seed", "backend", "on_probe"),
        "mode",
    ],
    "gradients": ["network", "images", "labels", "backend", "sample_weight"],
}
KEYS = {
    "train": {
        *("compile_seconds", "dataset", "history", "model", "network", "settings", "source"),
        *("test_accuracy", "test_cost", "train_seconds"),
    },
    "evaluate": {
        *("accuracy", "class_accuracy", "classes", "confusion_matrix", "cost", "dataset"),
        *("images", "model", "network", "source"),
    },
    "verify": {
        *("cases", "checks", "failures", "mistrusted", "passed", "rows", "seconds"),
        *("vector_bits", "worst"),
    },
    "info": {
        *("cache", "cores", "features", "kernels_compiled", "limits", "llvm_name", "processor"),
        *("threading_layer", "threads", "vector_bits", "versions"),
    },
}


def test_no_public_name_is_lost():
    assert set(NAMES) <= set(fastmlp.__all__)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_keep_their_names_and_order(name):
    found = list(inspect.signature(getattr(fastmlp, name)).parameters)
    assert [parameter for parameter in found if parameter in PARAMETERS[name]] == PARAMETERS[name]


def test_documents_keep_their_keys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = ("--dataset", "digits")
    commands = {
        "train": (*data, "--epochs", "1", "--hidden-layers", "8", "--model", "m.safetensors"),
        "evaluate": ("m.safetensors", *data),
        "verify": ("--cases", "5"),
        "info": (),
    }
    for name, options in commands.items():
        done = CliRunner().invoke(main, [name, *options, "--json"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout).keys() >= KEYS[name], name
