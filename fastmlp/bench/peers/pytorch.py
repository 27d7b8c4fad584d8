"""PyTorch: eager on sliced tensors, the same step compiled, or with the usual DataLoader."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fastmlp.arrays import Array
from fastmlp.bench.peers import Setup
from fastmlp.bench.peers.formulas import BETA_1, BETA_2, EPSILON, MOMENTUM
from fastmlp.bench.workload import scale_pixels

TRIAL, WARM_UP = 50, 5  # steps to time each number of threads and each form of the optimiser
FORMS: tuple[dict[str, bool], ...] = ({}, {"foreach": True}, {"fused": True})
OPTIMIZERS: dict[str, Any] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=MOMENTUM),
    "adam": partial(torch.optim.Adam, betas=(BETA_1, BETA_2), eps=EPSILON),
}
HIDDEN = {"relu": nn.ReLU, "tanh": nn.Tanh}


def squared_error(z: Any, y: Any) -> Any:
    """Return the squared error, summed over the outputs; the mean over the samples."""
    return nn.functional.mse_loss(z, y) * z.shape[1]


# By output, of its weighted sums
COSTS = {
    "softmax": nn.CrossEntropyLoss(),
    "sigmoid": nn.BCEWithLogitsLoss(),
    "identity": squared_error,
}


class Peer:
    """A Sequential of Linear and activations, with a cost and an optimiser of torch."""

    def __init__(self, setup: Setup) -> None:
        network, train, batch_size, optimizer, threads, kind = setup
        self.network, self.form = network, OPTIMIZERS[optimizer]
        self.linears = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(network.sizes)]
        for linear, w, b in zip(self.linears, network.weights, network.biases, strict=True):
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w.T.copy()))
                linear.bias.copy_(torch.from_numpy(b))
        layers: list[nn.Module] = []
        for linear, name in zip(self.linears[:-1], network.hidden, strict=True):
            layers += [linear, HIDDEN[name]()]
        self.model = nn.Sequential(*layers, self.linears[-1])
        self.images = torch.from_numpy(scale_pixels(train.images))
        targets = network.as_targets(train.labels, len(train), "labels")
        self.targets = torch.from_numpy(targets)
        self.optimiser = self.form(self.model.parameters(), lr=0.1)
        self.cost = COSTS[network.output]
        self.batch_size, self.threads, self.kind = batch_size, threads, kind
        self.step = torch.compile(self.one_step) if kind == "compile" else self.one_step
        self.is_tuned = False

    def one_step(self, x: Any, y: Any) -> None:
        """Compute forward and backward, and update the parameters."""
        self.optimiser.zero_grad()
        self.cost(self.model(x), y).backward()
        self.optimiser.step()

    def batches(self, order: Array) -> Any:
        """Return the minibatches as pairs of images and targets."""
        if self.kind == "dataloader":
            data = TensorDataset(self.images, self.targets)
            return DataLoader(data, self.batch_size, sampler=order.tolist())
        parts = torch.from_numpy(order).split(self.batch_size)
        return ((self.images[rows], self.targets[rows]) for rows in parts)

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        if not self.is_tuned:
            self.tune(order)
        for (x, y), rate in zip(self.batches(order), rates, strict=True):
            self.optimiser.param_groups[0]["lr"] = float(rate)
            self.step(x, y)

    def tune(self, order: Array) -> None:
        """Choose the faster number of threads, all or one, and the optimiser's fastest form."""
        self.is_tuned = True
        seconds = {threads: self.time_steps(order, threads, {}) for threads in (self.threads, 1)}
        best = min(seconds, key=lambda threads: seconds[threads])
        others = [self.time_steps(order, best, form) for form in FORMS[1:]]
        times = [seconds[best], *others]
        torch.set_num_threads(best)
        best_form = FORMS[times.index(min(times))]
        self.optimiser = self.form(self.model.parameters(), lr=0.1, **best_form)

    def time_steps(self, order: Array, threads: int, form: dict[str, bool]) -> float:
        """Return the seconds of some steps with a rate of 0; infinity if torch lacks the form."""
        torch.set_num_threads(threads)
        try:
            self.optimiser = self.form(self.model.parameters(), lr=0.0, **form)
        except (RuntimeError, TypeError):
            return float("inf")
        for steps in (WARM_UP, TRIAL):
            began = perf_counter()
            for x, y in self.batches(order[: steps * self.batch_size]):
                self.step(x, y)
        return perf_counter() - began

    def read(self) -> None:
        """Write the parameters into the network."""
        for linear, w, b in zip(
            self.linears, self.network.weights, self.network.biases, strict=True
        ):
            w[...] = linear.weight.detach().numpy().T
            b[...] = linear.bias.detach().numpy()
