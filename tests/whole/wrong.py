"""Public functions and attributes with what is right for them, and wrong things in its place."""

import inspect
from decimal import Decimal
from pathlib import Path

import numpy as np

import fastmlp

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


COLUMNS = {"inputs": [{"name": "a"}], "target": ""}
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
    "rehearse": (
        lambda network, split, y=None, seconds=0.0, **settings: fastmlp.rehearse(
            network, split, y, seconds=seconds, epochs=1, backend="numpy"
        ),
        {"network": network(), "split": (X, Y)},
    ),
    "Dataset": (
        fastmlp.Dataset,
        {
            "name": "some",
            "train": SPLIT,
            "test": SPLIT,
            "class_names": tuple("abc"),
            "image_shape": (2, 2),
            "source": "here",
        },
    ),
    "evaluate": (bare("evaluate"), {"images": X, "labels": Y}),
    "accuracy": (bare("accuracy"), {"images": X, "labels": Y}),
    "predict": (bare("predict"), {"images": X}),
    "predict_proba": (bare("predict_proba"), {"images": X}),
    "save": (bare("save"), {"path": "model.safetensors"}),
    "load": (fastmlp.Network.load, {"path": "none.safetensors"}),
    "load_dataset": (fastmlp.load_dataset, DATA_SETS),
    "encode_labels": (fastmlp.datasets.encode_labels, {"values": Y}),
    "generate_digits": (fastmlp.datasets.generate_digits, {"train": 1, "test": 1}),
    "read_idx": (fastmlp.datasets.read_idx, {"path": "none"}),
    "read_inputs": (fastmlp.datasets.read_inputs, {"path": "none.csv", "columns": COLUMNS}),
    "Split": (fastmlp.Split, {"images": X, "labels": Y}),
    "EarlyStopping": (fastmlp.EarlyStopping, {}),
    "Augmentation": (fastmlp.Augmentation, {}),
    "TimeLimit": (fastmlp.callbacks.TimeLimit, {"seconds": 1}),
    "CSVLog": (fastmlp.callbacks.CSVLog, {"path": "log.csv"}),
    "JSONLinesLog": (fastmlp.callbacks.JSONLinesLog, {"path": "log.jsonl"}),
    **{
        made.__name__: (made, {})
        for made in vars(fastmlp.schedules).values()
        if inspect.isclass(made) and made.__module__ == fastmlp.schedules.__name__
    },
}


class Raises:
    """What cannot become an array, as a tensor that requires a gradient, and cannot be iterated."""

    def __iter__(self):
        raise RuntimeError("no items")

    def __array__(self, *_, **__):
        raise RuntimeError("call detach first")


WRONG = (
    *(None, True, -1, 0, 3, 10**400, float("nan"), float("inf"), "abc", b"abc", [], {}, (1, 2, 3)),
    *([1, "a"], [[1], [2, 3]], object(), Raises(), zip(X, Y, strict=True), lambda *_: "no", X, Y),
    *(np.array(["a", "b"]), 1j, np.datetime64("2020"), DATA, SPLIT, [None] * 12),
    *("", Decimal("0.5"), Path("no/such/place"), np.zeros((0, 4)), np.array(5), X * np.nan, X + 1j),
    *(np.timedelta64(1, "D"), "long " * 9999, X.astype(object), np.array(None)),
    *({1, 2}, range(3), (n for n in ()), np.uint64(2**63), np.int8(1), memoryview(b"abc")),
    *(np.ma.masked_array(X, X > 0.5), np.zeros(12, "i4,f8"), np.zeros((2, 2, 2, 2, 2)), Y.tolist()),
    *(
        ["a"] * 12,
        [["a"]] * 12,
        [["a", "b"], ["c"]] * 6,
        network(),
        fastmlp.Network,
        np.bool_(True),
    ),
)
# Options with which each command runs; texts in the place of the value of each option
COMMANDS = {
    "train": ("--dataset=some.npz", "--epochs=1", "--hidden-layers=2", "--backend=numpy"),
    "evaluate": ("some.safetensors", "--dataset=some.npz", "--backend=numpy"),
    "predict": ("some.safetensors", "one.npy", "--backend=numpy"),
    "find-learning-rate": (
        *("--dataset=some.npz", "--hidden-layers=2", "--backend=numpy", "--mode=halving"),
        "--samples=9",
    ),
    "warmup": (),
}
TEXTS = ("", "abc", "-1", "nan", "9" * 400, "é=1,", "no/such/place")


# What users assign to a network
ATTRIBUTES = (
    *("weights", "biases", "pixel_scale", "scaling", "classes", "class_names", "feature_names"),
    *("columns", "several_labels"),
)
