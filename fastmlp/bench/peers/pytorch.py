"""PyTorch: eager on sliced tensors, the same step compiled, or with the usual DataLoader."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fastmlp.arrays import Array
from fastmlp.bench.workload import scale_pixels
from fastmlp.datasets import Split
from fastmlp.network import Network

TRIAL, WARM_UP = 50, 5  # steps to time each number of threads and each form of SGD
FORMS: tuple[dict[str, bool], ...] = ({}, {"foreach": True}, {"fused": True})


class Peer:
    """A Sequential of Linear and ReLU, CrossEntropyLoss, and torch.optim.SGD."""

    def __init__(
        self, network: Network, train: Split, batch_size: int, threads: int, kind: str
    ) -> None:
        layers: list[nn.Module] = []
        for (inputs, outputs), w, b in zip(
            pairwise(network.sizes), network.weights, network.biases, strict=True
        ):
            linear = nn.Linear(inputs, outputs)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w.T.copy()))
                linear.bias.copy_(torch.from_numpy(b))
            layers += [linear, nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])
        self.images = torch.from_numpy(scale_pixels(train.images))
        self.labels = torch.from_numpy(train.labels.astype("int64"))
        self.optimiser = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.cost = nn.CrossEntropyLoss()
        self.batch_size, self.threads, self.kind = batch_size, threads, kind
        self.step = torch.compile(self.one_step) if kind == "compile" else self.one_step
        self.is_tuned = False

    def one_step(self, x: Any, y: Any) -> None:
        """Compute forward and backward, and update the parameters."""
        self.optimiser.zero_grad()
        self.cost(self.model(x), y).backward()
        self.optimiser.step()

    def batches(self, order: Array) -> Any:
        """Return the minibatches as pairs of images and labels."""
        if self.kind == "dataloader":
            data = TensorDataset(self.images, self.labels)
            return DataLoader(data, self.batch_size, sampler=order.tolist())
        parts = torch.from_numpy(order).split(self.batch_size)
        return ((self.images[rows], self.labels[rows]) for rows in parts)

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        if not self.is_tuned:
            self.tune(order)
        for (x, y), rate in zip(self.batches(order), rates, strict=True):
            self.optimiser.param_groups[0]["lr"] = float(rate)
            self.step(x, y)

    def tune(self, order: Array) -> None:
        """Choose the faster number of threads, all or one, and the fastest form of SGD."""
        self.is_tuned = True
        seconds = {threads: self.time_steps(order, threads, {}) for threads in (self.threads, 1)}
        best = min(seconds, key=lambda threads: seconds[threads])
        others = [self.time_steps(order, best, form) for form in FORMS[1:]]
        times = [seconds[best], *others]
        torch.set_num_threads(best)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=0.1, **FORMS[times.index(min(times))]
        )

    def time_steps(self, order: Array, threads: int, form: dict[str, bool]) -> float:
        """Return the seconds of some steps with a rate of 0; infinity if torch lacks the form."""
        torch.set_num_threads(threads)
        try:
            self.optimiser = torch.optim.SGD(self.model.parameters(), lr=0.0, **form)
        except (RuntimeError, TypeError):
            return float("inf")
        for steps in (WARM_UP, TRIAL):
            began = perf_counter()
            for x, y in self.batches(order[: steps * self.batch_size]):
                self.step(x, y)
        return perf_counter() - began

    def predict(self, images: Array) -> Array:
        """Return the class of each image."""
        with torch.no_grad():
            classes: Array = self.model(torch.from_numpy(scale_pixels(images))).argmax(1).numpy()
        return classes
