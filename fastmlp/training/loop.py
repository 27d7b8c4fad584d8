"""Minibatch stochastic gradient descent: the epoch loop around a backend's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, as_generator, check_at_least, check_flag
from fastmlp.errors import refuse
from fastmlp.functions.augmentation import Augmentation
from fastmlp.network import Network
from fastmlp.system.cores import useful_threads
from fastmlp.system.files import as_path
from fastmlp.training import resuming
from fastmlp.training.augmenting import Augmenter
from fastmlp.training.averaging import average_for
from fastmlp.training.callbacks import EarlyStopping, TimeLimit
from fastmlp.training.checkpoint import Checkpoints
from fastmlp.training.choosing import (
    choose_optimizer,
    dropout_for,
    optimizer_lines,
    rate_factors_for,
)
from fastmlp.training.data import Data
from fastmlp.training.ending import finish
from fastmlp.training.epochs import train_epochs
from fastmlp.training.history import History
from fastmlp.training.outcome import judge
from fastmlp.training.progress import Callback, as_callbacks, check_callbacks
from fastmlp.training.rows import EpochLines, is_verbose
from fastmlp.training.run import Run
from fastmlp.training.schedules import Schedule, schedule_named, step_rates, warmup_epochs
from fastmlp.training.stopping import check_stopping, check_target, check_task
from fastmlp.training.watcher import Watcher
from fastmlp.training.weighting import ClassWeight, check_smoothing

# Arguments that a resumed run may change, as they do not change the result
NOT_SETTINGS = "threads", "callbacks", "checkpoint", "every", "resume", "max_seconds", "verbose"
# Arguments that are merged with others: a resumed run compares what they choose together
CHOOSING = (
    *("target_accuracy", "momentum", "nesterov", "weight_decay", "bias_rate_factor"),
    *("clip_value", "clip_norm", "l1"),
)
# Arguments that belong to the data, of which a resumed run compares a digest
DATA = (
    *("network", "split", "y", "validation", "sample_weight", "class_weight"),
    *("scaling", "impute"),
)


def train(
    network: Network,
    split: Data,
    y: ArrayLike | None = None,
    *,
    epochs: int = 6,
    batch_size: int = 32,
    optimizer: str = "sgd",
    optimizer_settings: Mapping[str, float] | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    nesterov: bool = False,
    weight_decay: float | None = None,
    rate_factors: ArrayLike | None = None,
    bias_rate_factor: float = 1.0,
    dropout: ArrayLike = 0.0,
    schedule: str | Schedule = "constant",
    validation: Data | float | None = None,
    early_stopping: EarlyStopping | int | None = None,
    target_accuracy: float | None = None,
    target: float | None = None,
    seed: int | np.random.Generator = 0,
    threads: int | None = None,
    backend: str = "compiled",
    callbacks: Callback | Sequence[Callback] | None = (),
    checkpoint: str | PathLike[str] | None = None,
    every: int = 1,
    resume: bool = False,
    warmup: float = 0.0,
    max_seconds: float | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    label_smoothing: float = 0.0,
    clip_value: float | None = None,
    l1: float | None = None,
    augment: Augmentation | None = None,
    average: str | None = None,
    verbose: bool | None = None,
    input_dropout: float = 0.0,
    clip_norm: float | None = None,
    scaling: str | None = None,
    impute: str | None = None,
) -> History:
    """Train a network in place, minibatch by minibatch, and return the history.

    split : a Split, (images `(N, I)`, labels `(N,)` or targets `(N, O)`), or a Dataset, whose
        training part is used, of the kinds that `Network` says; or only images, with their labels
        or targets as `y`. Labels that are not 0 … K - 1 become `network.classes`, in their order
    y : of those images; None otherwise
    batch_size : 1 is pure stochastic gradient descent, N is full batch; the last may be shorter
    optimizer : how parameters follow their gradients. Names, default learning rates and settings:

        {optimizers}

        Formulas are those of torch.optim, and of Chen et al. (2023) for lion; so are defaults,
        but for the rates of sgd, momentum and nesterov, and the momentum of 0.9. weight_decay times
        w is added to the gradients of the weights; adamw and lion subtract it, times the learning
        rate, from the weights
    optimizer_settings : other values than the defaults, by name: {{"beta_1": 0.8}}
    learning_rate : the factor of the schedule; None for the optimizer's own
    momentum, nesterov, weight_decay : the settings of these names. "sgd" with a momentum is
        "momentum" or, with nesterov=True, "nesterov"
    rate_factors : factors on the learning rate, one for each layer; 0 keeps a layer as it is
    bias_rate_factor : a further factor for the biases of all layers
    dropout : the share of a hidden layer's outputs that become 0, new ones for each sample; the
        others are divided by one minus that (Srivastava et al., 2014). One number, or one for each
        hidden layer. Training costs and accuracies are those with dropout
    input_dropout : the same of the inputs. Sparse images stay sparse
    schedule : a name, perhaps with settings, "plateau:factor=0.5,patience=3"; an object of
        `fastmlp.schedules`; or a function from progress (0 to 1) to a factor of learning_rate. It
        is called before an epoch, or several short ones, for the progress at the middle of each
        step
    warmup : the first part of the run, in which the factors of the schedule are multiplied by
        numbers that rise from 0 to 1: below 1 a share of the run, from 1 on a number of epochs
    validation : a Split or a pair, or the share of the training data to hold out, which the seed
        chooses, of each class the same share: 0.1
    early_stopping : EarlyStopping(...), or only its patience; needs validation data
    target : stop when the main metric of the task (accuracy, R^2, or the share of samples whose
        labels are all right) reaches this on the validation data; without them, in a
        classification, the training accuracy. The network that reaches it stays, also with early
        stopping. target_accuracy is another name for it
    seed : of the orders of the samples, held-out data, dropout and augmentation; the same seed
        gives the same bits, for any number of threads
    threads : how many may work; None for all cores. backend : "compiled" or "numpy"
    callbacks : one or several. A function is called several times a second and after each epoch;
        of an object, the methods that it has of on_train_begin, on_epoch_begin, on_epoch_end and
        on_train_end. Each call gets a Progress, and ends the run if it returns True. It may write
        to network.weights and network.biases, or replace the arrays: the next step uses the new
        values. The optimizer's state does not change. `fastmlp.callbacks` has some of them
    verbose : print a line for each epoch when it ends; None for "in a notebook"
    max_seconds : end the run after about this time, by the rule of `fastmlp.callbacks.TimeLimit`
    augment : an Augmentation: how far images, square and uint8, are moved, turned, scaled and bent
        at random. Each is changed anew in each epoch, by numbers that depend on seed, epoch and
        its index only. Costs and accuracies of training are those of the changed images;
        validation data are never changed
    average : "ema" or "ema:0.999", an exponential average of the parameters with that decay d for
        each step. It is updated every 64 steps, and more often if d is below 0.998; or "last" or
        "last:5", the mean of those after the last 5 epochs. After each epoch the network has the
        average: it is evaluated, and kept at the end. Training goes on with the parameters
        themselves, and its cost and accuracy are theirs
    checkpoint : a folder; the state of the run is saved there after every `every` epochs and at the
        end: that of its start if it ends in its first epoch. The schedule must then be a name or a
        function of progress alone
    sample_weight : w `(N,)` of the training data. The cost of a minibatch is sum(w c) / sum(w) over
        the costs c of its samples, as in scikit-learn; if all its w are 0, its gradient is 0.
        Training cost and accuracy in the history are weighted means, too; those of validation data
        are not
    class_weight : a mapping of labels, as in the data, to weights, by default 1, or "balanced":
        N / (classes count) of the classes that occur. A factor on sample_weight
    label_smoothing : s; with cross_entropy, the training targets are (1 - s) y + s / classes
        (Szegedy et al., 2016), where each of several labels has two classes. The training cost is
        that of these targets, the validation cost not
    clip_value : gradients of the cost are limited to -clip_value … clip_value, each by itself
    clip_norm : all gradients are then multiplied by min(1, clip_norm / (norm + 1e-6)), where norm
        is the root of the sum of the squares of all of them, as torch.nn.utils.clip_grad_norm_ does
    l1 : l1 sign(w) is then added to those of the weights, before weight decay. With one of these
        three, "sgd" is computed as a momentum of 0
    scaling : of the inputs, decided in the network's first training, and kept: "standardize" (each
        column to mean 0 and standard deviation 1), "pixels" (divided by 1, 16, 255 or 65535) or
        "none", which changes nothing but uint8: these are multiplied by `network.pixel_scale`,
        1 / 255. None decides by the data, as `fastmlp/network/deciding.py` says: uint8 (but not
        in a DataFrame with names) and numbers of pictures are pixels; a table is standardised,
        unless its numbers are small and no column varies little; the columns of a sparse matrix are
        divided by their largest magnitudes, and with "standardize" by their standard deviations,
        without a shift
    impute : "median" fills NaN with the median of the column in the training data, also later; in
        columns of texts, with the most frequent one
    resume : continue with the newest valid checkpoint, or start if there is none. The result has
        the same bits as that of a run that was never stopped. Data and settings must be the same;
        epochs may be more if the schedule is constant, halving or plateau, and the warm-up is 0,
        or a number of epochs that are over, since then no rate depends on them

    Labels and targets are copied at the start: later changes to them have no effect. Images are
    read in each step: what a callback writes to them counts from the next step on, unless they
    were copied at the start: to be converted (to C-contiguous uint8, float32 or float64), filled
    or scaled, or as a share of them is held out.

    At the end, `history.stopped` says why the run ended. The network has the parameters of the
    last step. If early stopping restores, it has the best ones, and after DivergedError those of
    the last good epoch. This also holds after Ctrl-C and after an exception in a callback; the
    history is then in the last Progress.

    Raises ArgumentError for bad input, CheckpointError if a checkpoint cannot be written or
    all of them are damaged, and DivergedError if the cost, the validation cost or a parameter
    becomes NaN or infinite.
    """
    callbacks, early_stopping = check_stopping(as_callbacks(callbacks), early_stopping, validation)
    target = check_target(target, target_accuracy)
    settings = {
        name: value
        for name, value in locals().items()
        if name not in (*DATA, *NOT_SETTINGS, *CHOOSING)
    }
    data = network, split, validation, backend, sample_weight, class_weight, y, seed
    run = Run(*data, scaling, impute)
    smoothing = check_smoothing(label_smoothing, network)
    for name, value, least in (("epochs", epochs, 0), ("batch_size", batch_size, 1)):
        check_at_least(name, value, least)
    factors = rate_factors_for(len(network.sizes) - 1, rate_factors, bias_rate_factor)
    given = optimizer, optimizer_settings, learning_rate, momentum, nesterov, weight_decay
    choice = choose_optimizer(*given, factors, clip_value, l1, clip_norm)
    # small integers of NumPy would overflow
    epochs, batch_size = int(epochs), int(batch_size)
    check_at_least("every", every, 1)
    check_flag("resume", resume)
    check_callbacks(callbacks)
    if is_verbose(verbose):
        callbacks.insert(0, EpochLines())
    if max_seconds is not None:
        callbacks.append(TimeLimit(max_seconds))
    if threads is not None:
        check_at_least("threads", threads, 1)
        threads = useful_threads(int(threads))
    plan, generator = schedule_named(schedule), as_generator(seed)
    averaged = average_for(plan, average)
    check_task(run.history.task, early_stopping, plan, target, target_accuracy, validation)
    warm = warmup_epochs(warmup, epochs)
    dropped = dropout_for(len(network.hidden), dropout, generator, input_dropout)
    settings["average"] = averaged.text if averaged else None
    settings["dropout"] = dropped.rates if dropped else 0.0
    if augment is not None:
        size = min(batch_size, len(run.images))
        run.augmenter = Augmenter(augment, run.images, size, generator, run.backend, threads)

    def rates(epoch: int, several: int = 1) -> Array:
        return step_rates(plan, choice.learning_rate, epoch, epochs, run.steps, warm, several)

    state, saved = None, None
    if checkpoint is not None:
        steps = epochs * -(-len(run.images) // batch_size)
        identity = resuming.identify(run, settings | vars(choice), steps)
        saved = Checkpoints(as_path(checkpoint, "checkpoint"), identity, every)
        state = saved.begin(resume)
    elif resume or every != 1:
        name = "resume" if resume else "every"
        raise refuse(name, "needs a folder of checkpoints", "None", "Pass checkpoint=.")
    if state is not None:
        resuming.restore_parameters(state, run)
    run.start(epochs, batch_size, choice, threads, callbacks, dropped, smoothing, averaged)
    watcher = Watcher(run, early_stopping, target)
    if state is not None:
        resuming.restore_rest(state, run, plan, generator, watcher)
        run.history.resumed_epoch = state.epochs
    with finish(run, watcher, saved):
        train_epochs(run, plan, generator, watcher, saved, rates)
    run.history.warnings = (*run.history.warnings, *judge(run, choice))
    return run.history


# without docstrings (-OO) there is none to complete
train.__doc__ = (train.__doc__ or "").format(optimizers="\n        ".join(optimizer_lines()))
