"""Whole epochs, compiled and NumPy in the same group."""

import numpy as np
import pytest

import fastmlp
from fastmlp.bench import workload
from fastmlp.bench.child import measure_accuracy
from fastmlp.bench.peers import OWN, make_peer
from fastmlp.bench.summary import BASELINE
from fastmlp.errors import DataUnavailableError

NAMES = [
    "784-128-10/64",
    "784-16-16-10/10",
    "784-512-512-10/128",
    *workload.TABLES,
    "784-128-10/64/adam",
]


@pytest.fixture(scope="module")
def images():
    try:
        return fastmlp.load_dataset("mnist", download=False)
    except DataUnavailableError:
        return fastmlp.load_dataset("digits")


@pytest.mark.parametrize("name", NAMES)
def test_epoch(benchmark, side, images, name):
    benchmark.group = f"epoch {name}"
    work = workload.parse(name)
    data = workload.load(work, "", None) if work.dense else images
    samples = len(data.train)
    which = {"compiled": OWN, "numpy": BASELINE}[side]
    peer = make_peer(which, work.network(0), data.train, work.batch_size, None, work.optimizer)
    order = np.random.default_rng(0).permutation(samples)
    rates = np.full(-(-samples // work.batch_size), work.learning_rate)
    benchmark.pedantic(peer.epoch, args=(order, rates), rounds=3, warmup_rounds=1)
    seconds = benchmark.stats.stats.median
    benchmark.extra_info |= {
        "samples_per_second": samples / seconds,
        "gflops": work.flops() * samples / seconds / 1e9,
        "accuracy": measure_accuracy(peer, data),
    }
