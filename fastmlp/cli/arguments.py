"""The options of all commands: names, defaults, types and help.

Slow modules are imported only when a value is read, so that `fastmlp --help` is fast.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.formatting import wrap_text

from fastmlp.backends import BACKENDS
from fastmlp.bench.peers import PEERS
from fastmlp.cli.kinds import (
    DATASET,
    NUMBERS,
    PAIR,
    PICTURE,
    SIZES,
    Augmented,
    Cost,
    File,
    Row,
    RowWithSettings,
    Seconds,
)
from fastmlp.cli.recipe import RECIPE


class _OptimizerSettings(click.Option):
    """The option --optimizer-setting; its help lists the table, which is imported only then."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from fastmlp.training.choosing import optimizer_lines

        wrap = partial(wrap_text, width=ctx.make_formatter().width - 34, subsequent_indent="  ")
        lines = "\n".join(map(wrap, optimizer_lines()))
        first = "In place of a default; may be repeated. Defaults (learning_rate: --learning-rate):"
        self.help = f"{first}\n\n\b\n{lines}"
        return super().get_help_record(ctx)


def _options(*groups: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Return a decorator that adds groups of options and arguments to a command."""

    def decorate(command: Any) -> Any:
        for parameter in reversed([parameter for group in groups for parameter in group]):
            command = parameter(command)
        return command

    return decorate


def _option(name: str, default: Any, text: str, kind: Any = None) -> Any:
    shown = default is not None and not isinstance(default, bool)
    flag = isinstance(default, bool) or None
    return click.option(
        name, default=default, help=text, type=kind, show_default=shown, is_flag=flag
    )


def _backend(default: str) -> tuple[Any, ...]:
    """Return the option --backend. "numpy" starts at once, "compiled" computes faster."""
    return (_option("--backend", default, "Compiled kernels or NumPy.", click.Choice(BACKENDS)),)


_FILE = File(path_type=Path)
_COUNT, _FROM_0 = click.IntRange(min=1), click.IntRange(min=0)
_IMAGES = (
    click.argument("image", type=_FILE),
    _option("--index", 0, "The first image of the file to use, from 0.", _FROM_0),
    _option("--count", None, "How many to use. [one image; all rows of a table]", _COUNT),
)
_SEARCH = (
    _option("--mode", "range", "How to search.", Row("fastmlp.training.rate", "MODES")),
    _option("--start", 8.0, "The highest rate to try; a range test goes on to 4 times it.", float),
    _option("--samples", None, "Rows to use. [all; 2048 for halving]", _COUNT),
)
_SCALINGS = click.Choice(["standardize", "pixels", "none"])
# How to read data of one's own, as the arguments of `load_dataset` with these names
_TARGET_COLUMN = (
    _option("--target-column", None, "Column to predict: a name, or a number from 0."),
)
_READING = (
    *_TARGET_COLUMN,
    click.option(
        "--drop-column", "drop_columns", multiple=True, help="Leave it out; may be repeated."
    ),
    _option("--impute", None, "Fill missing values.", click.Choice(["median"])),
    _option(
        "--task",
        None,
        "What to predict; by default, the data decide.",
        click.Choice(["classification", "regression"]),
    ),
    click.option(
        "--image-size", type=PICTURE, metavar="WIDTH[xHEIGHT]", help="Size that pictures become."
    ),
)
_NEW_TEXTS = (
    _option(
        "--unknown",
        "refuse",
        "What to do with texts in a table that the model does not know.",
        click.Choice(["refuse", "ignore"]),
    ),
)
_WHOLE = (
    click.option(
        "--whole", is_flag=True, default=None, help="Test on all rows of data without test part."
    ),
)
_ANSWERS = (
    _option("--output", None, "Write the answers to this .csv; - prints.", _FILE),
    _option("--probabilities", False, "Write the probabilities of all classes, too."),
)
_MODEL = (click.argument("model", type=_FILE),)
_JSON = (_option("--json", False, "Print one JSON document on standard output."),)
_FOLDER = _option("--data-folder", None, "The folder of the data set's files.", _FILE)
_DATA = (
    _option(
        "--dataset", None, "mnist, fashion-mnist, kmnist, digits, or a file or folder.", DATASET
    ),
    _FOLDER,
    _option("--no-download", False, "Use only data on this machine."),
)
_DTYPE = _option("--dtype", "float32", "The precision.", click.Choice(["float32", "float64"]))
_NETWORK = (
    _option("--sizes", None, "Neurons of all layers, such as 784,128,10.", SIZES),
    _option("--hidden-layers", None, "Neurons of hidden layers; '' for none. [128]", SIZES),
    _option("--activation", "relu", "Of the hidden layers.", Row("fastmlp.functions", "HIDDEN")),
    _option(
        "--output",
        None,
        "Of the last layer. [softmax; identity for regression]",
        Row("fastmlp.functions", "ACTIVATIONS"),
    ),
    _option(
        "--cost",
        None,
        "Such as huber:1.35. [cross_entropy; squared_error for regression]",
        Cost("fastmlp.functions", "COSTS"),
    ),
    _DTYPE,
    _option("--batch-size", None, "Samples per step. [32; fewer if data are small]", _COUNT),
    _option(
        "--seed",
        0,
        "Of weights, orders, dropout; seed 0 draws test rows of data without test part.",
        _FROM_0,
    ),
)
_TRAINING = (
    _option("--epochs", None, "Passes over the data. [6; more if data are small]", _COUNT),
    _option(
        "--optimizer",
        None,
        "How weights follow gradients. [sgd to classify images in arrays or IDX files; else adam]",
        Row("fastmlp.functions", "OPTIMIZERS"),
    ),
    click.option(
        "--optimizer-setting",
        "optimizer_settings",
        multiple=True,
        type=PAIR,
        cls=_OptimizerSettings,
    ),
    _option("--learning-rate", None, "The highest rate; by default the optimizer's own.", float),
    _option(
        "--schedule",
        "linear",
        "How the rate changes, such as plateau:patience=2.",
        RowWithSettings("fastmlp.training", "SCHEDULES"),
    ),
    _option(
        "--warmup", 0.0, "Share in which rates rise, beside the schedule; from 1 on, epochs.", float
    ),
    _option(
        "--augment",
        None,
        "Change images: shift=2,rotation=10,scale=0.1,elastic=34:4.",
        Augmented(),
    ),
    _option("--scaling", None, "How inputs are scaled; by default, the data decide.", _SCALINGS),
    _option("--momentum", None, "A setting; above 0, sgd becomes momentum.", float),
    _option("--nesterov", False, "Use Nesterov's momentum."),
    _option("--weight-decay", None, "A setting: how much steps reduce the weights.", float),
    _option("--rate-factors", None, "Of the rate, for each layer; 0,1 keeps the first.", NUMBERS),
    _option("--bias-rate-factor", 1.0, "A further factor on the rate of biases.", float),
    _option("--dropout", 0.0, "Share of hidden outputs that become 0; or of each.", NUMBERS),
    _option("--input-dropout", 0.0, "Share of the inputs that become 0.", float),
    _option("--average", None, "Keep an average: ema, ema:0.999, last or last:5.", str),
    _option("--l1", None, "How much L1 regularisation adds to gradients.", float),
    _option("--clip-value", None, "The largest gradient of a parameter.", float),
    _option("--clip-norm", None, "The largest norm of all gradients.", float),
    _option("--class-weight", None, "Weigh all classes alike.", click.Choice(["balanced"])),
    _option("--label-smoothing", 0.0, "Share of a target divided among all classes.", float),
    _option(
        "--validation",
        None,
        "Share of the data for validation.",
        click.FloatRange(0, 1, min_open=True, max_open=True),
    ),
    _option("--early-stopping", None, "Epochs to wait for a lower validation cost.", _COUNT),
    _option(
        "--monitor",
        "cost",
        "Wait for the cost, or a better metric.",
        Row("fastmlp.training.monitor", "MONITORS"),
    ),
    _option("--target", None, "Stop at this accuracy, R^2, or exact match of labels.", float),
    _option("--target-accuracy", None, "Stop at this accuracy, 0 to 1.", click.FloatRange(0, 1)),
    _option("--max-seconds", None, "End after about this time.", float),
    _option("--log", None, "A line for each epoch, in this .csv or .jsonl file.", _FILE),
    _option("--threads", None, "The largest number of threads.", _COUNT),
    _option("--model", None, "The file to save; by default named after the data set.", _FILE),
    _option("--checkpoint", None, "A folder to save the whole state of the run in.", _FILE),
    _option("--every", 1, "Epochs between two checkpoints.", _COUNT),
    _option("--resume", False, "Continue from the newest checkpoint, if there is one."),
    _option("--from", None, "A saved model to train further, instead of a new network.", _FILE),
    _option("--rehearse", False, "Try all parts for two seconds, and say how long a run takes."),
    _option("--strict", False, "Exit with status 3 if the network has not learnt."),
)

_THREADS = (_option("--threads", None, "Of each implementation, at most. [all cores]", _COUNT),)
_PLANS = (click.argument("workloads", nargs=-1, metavar="[SIZES/BATCH[/WORD]...]..."),)
_LIMIT = _option("--limit", 300.0, "Seconds after which a process is too slow.", Seconds(0.1, 1e6))
_WORKLOADS = (
    *_PLANS,
    _option("--rounds", None, "Processes of each, in turn. [3; 2 with --quick]", _COUNT),
    _option("--epochs", None, "Timed in each, after some to warm up. [3; 2 with --quick]", _COUNT),
    _LIMIT,
    _option("--quick", False, "Three workloads against NumPy, in under a minute."),
)
_ALL = "[all; numpy with --quick; no torch-* in accuracy]"
_AGAINST = (_option("--against", None, f"Some of {','.join(PEERS)}. {_ALL}"),)
_BENCH_DATA = (
    _option("--dataset", "mnist", "A name, a folder of IDX files, or an .npz file.", DATASET),
    _FOLDER,
)
_GRID = (
    _option("--every", False, "Show all shapes, not only those where NumPy is faster."),
    _option("--rounds", 2, "Passes of each side through all shapes.", _COUNT),
    _option("--roofline", None, "Draw the roofline to this .png; needs fastmlp[plot].", _FILE),
)
_TEAMS = (
    *_PLANS,
    _option("--rounds", 3, "Processes of each team, in turn.", _COUNT),
    _option("--epochs", 3, "Timed in each, after some to warm up.", _COUNT),
    _LIMIT,
    _option("--threads", None, "Of the largest team; by default one for each core.", _COUNT),
)
_TARGET = (
    _option("--target", 0.98, "Test accuracy to reach.", click.FloatRange(0, 1)),
    _option("--seeds", 5, "Runs of each, with different seeds.", _COUNT),
)
KERNEL = "One of trace, gradients, step, steps, infer; may be repeated. [all]"
_CASES = (
    _option("--cases", 3000, "The number of cases.", _COUNT),
    _option("--seed", 0, "Of the first case; each next one adds 1.", _FROM_0),
    click.option("--kernel", "kernels", multiple=True, help=KERNEL),
)
_SAVED = (
    _option("--save", None, "Save the results as JSON, after each process.", _FILE),
    _option("--resume", False, "Measure only what the file of --save lacks."),
    _option("--html", None, "Write a report with charts; needs fastmlp[plot].", _FILE),
)
_RUNS = (click.argument("first", type=_FILE), click.argument("second", type=_FILE))

# The decorator of each command, with its options
TRAIN = _options(
    *(RECIPE, _DATA, _READING, _NEW_TEXTS, _NETWORK, _TRAINING),
    *(_backend("compiled"), _JSON),
)
EVALUATE = _options(
    *(_MODEL, _DATA, _TARGET_COLUMN, _WHOLE, _NEW_TEXTS),
    *(_backend("compiled"), _JSON),
)
PREDICT = _options(_MODEL, _IMAGES, _ANSWERS, _NEW_TEXTS, _backend("numpy"), _JSON)
FIND_LEARNING_RATE = _options(_DATA, _READING, _NETWORK, _SEARCH, _backend("compiled"), _JSON)
INFO = _options(_PLANS, (_option("--measure", False, "Also measure its limits."),), _JSON)
WARMUP = _options((_DTYPE,), _JSON)
VERIFY = _options(_CASES, _JSON)
BENCH_EPOCHS = _options(_WORKLOADS, _AGAINST, _BENCH_DATA, _THREADS, _SAVED, _JSON)
BENCH_KERNELS = _options(_GRID, _THREADS, _SAVED, _JSON)
BENCH_ACCURACY = _options(_TARGET, _AGAINST, _BENCH_DATA, _THREADS, _SAVED, _JSON)
BENCH_SCALING = _options(_TEAMS, _BENCH_DATA, _SAVED, _JSON)
BENCH_COMPARE = _options(_RUNS, _JSON)
