"""The implementations that are compared: one class in one short file, written as users would.

Peer(setup) starts from the network's parameters.
epoch(order, rates) trains on the samples in that order, with one learning rate for each step.
read() writes the parameters into the network. Compiling and encoding happen in the first epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from shutil import which
from typing import TYPE_CHECKING, Any, NamedTuple

from fastmlp.errors import refuse

if TYPE_CHECKING:
    from fastmlp.bench.workload import Workload
    from fastmlp.datasets import Split
    from fastmlp.network import Network


class Setup(NamedTuple):
    """What a peer trains, and how; kind : the variant of its class."""

    network: Network
    train: Split
    batch_size: int
    optimizer: str
    threads: int
    kind: str


@dataclass(frozen=True)
class Implementation:
    """Where an implementation is, and what it needs.

    module : in this folder; kind : a variant of its class; package : the package it needs
    title : its name as a heading; empty for a second variant of the implementation before it
    programs : it needs one of them, if any are named
    skips : it skips zero pixels in another way than fastmlp, so what it computes is not known
    """

    module: str
    kind: str
    package: str
    title: str = ""
    programs: tuple[str, ...] = ()
    skips: bool = False


COMPILERS = ("g++", "clang++")
IMPLEMENTATIONS = {
    "fastmlp": Implementation("own", "compiled", "fastmlp", "fastmlp"),
    "numpy": Implementation("own", "numpy", "numpy", "NumPy"),
    "lean": Implementation("numpy_lean", "lean", "numpy", "NumPy, lean"),
    "cpp": Implementation("cplusplus", "plain", "numpy", "C++", COMPILERS, skips=True),
    "torch": Implementation("pytorch", "eager", "torch", "PyTorch"),
    "torch-compile": Implementation("pytorch", "compile", "torch"),
    "torch-dataloader": Implementation("pytorch", "dataloader", "torch"),
    "jax": Implementation("jax_scan", "scan", "jax", "JAX"),
    "tensorflow": Implementation("tensor_flow", "while", "tensorflow", "TensorFlow"),
    "sklearn": Implementation("scikit_learn", "sgd", "sklearn", "scikit-learn"),
}
OWN = "fastmlp"
# What all but this package can train with, by field of a workload
KNOWN = {"hidden": ("relu", "tanh"), "optimizer": ("sgd", "momentum", "adam")}
# The names of those with which fastmlp is compared
PEERS = tuple(name for name in IMPLEMENTATIONS if name != OWN)
# The headings, for one variant of each
TITLES = {name: IMPLEMENTATIONS[name].title for name in PEERS if IMPLEMENTATIONS[name].title}


def implementation(name: str) -> Implementation:
    """Return the implementation of that name. Raises ArgumentError."""
    if name not in IMPLEMENTATIONS:
        known = ", ".join(IMPLEMENTATIONS)
        raise refuse("implementation", "must be a known one", repr(name), f"Choose from {known}.")
    return IMPLEMENTATIONS[name]


def is_installed(name: str) -> bool:
    """Return whether what an implementation needs is installed; imports nothing."""
    own = implementation(name)
    if own.programs and not any(map(which, own.programs)):
        return False
    return find_spec(own.package) is not None


def lack_of(name: str, work: Workload) -> str:
    """Return what an implementation lacks for a workload; empty if it can train it."""
    if implementation(name).module == "own":
        return ""
    for field, known in KNOWN.items():
        if (word := getattr(work, field)) not in known:
            return f"it is not written for {word}"
    pair = work.output == "softmax" and work.sizes[-1] == 2
    if name == "sklearn" and pair and work.optimizer == "adam":
        return "with adam, its one output of two classes takes other steps than a softmax"
    return ""


def make_peer(
    name: str,
    network: Network,
    train: Split,
    batch_size: int,
    threads: int,
    optimizer: str = "sgd",
) -> Any:
    """Return the peer of an implementation before its first step; imports its package."""
    own = implementation(name)
    setup = Setup(network, train, batch_size, optimizer, threads, own.kind)
    return import_module(f"fastmlp.bench.peers.{own.module}").Peer(setup)
