"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import CheckpointError, refuse
from fastmlp.system.files import check_folder, write_whole
from fastmlp.system.interrupts import interrupts_held
from fastmlp.system.plain import to_json
from fastmlp.system.tensors import read_tensors, tensor_bytes
from fastmlp.training.comparing import of_any_version

FORMAT = "fastmlp checkpoint 1"
NAME = re.compile(r"checkpoint-(\d{6})\.safetensors")
# How many checkpoints are kept: were the newest damaged, there is the one before
KEPT = 3


@dataclass(frozen=True)
class State:
    """A run after some epochs.

    epochs : how many are done; tensors : arrays by name; facts : all else, plain values
    """

    epochs: int
    tensors: dict[str, Array]
    facts: dict[str, Any]


class Checkpoints:
    """The folder of a run's checkpoints, one file for each epoch kept.

    identity : what must be the same in a run that goes on: settings, and a digest of the data
    every : epochs between two checkpoints
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], every: int) -> None:
        self.folder, self.every = folder, every
        self.identity: dict[str, Any] = json.loads(to_json(dict(identity)))
        self._unsaved: State | None = None

    def begin(self, resume: bool) -> State | None:
        """Return the state to go on from, or None for a new run; makes the folder.

        Raises ArgumentError when a new run would end up among another's checkpoints, and
        CheckpointError when the folder cannot be made, or not be written.
        """
        try:
            self.folder = check_folder(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        state = self.newest() if resume else None
        if not resume and self.paths():
            rule, got = "must be empty for a new run", f"{self.folder}, with checkpoints in it"
            raise refuse("checkpoint", rule, got, "Pass resume=True to go on, or another folder.")
        return state

    def paths(self) -> list[Path]:
        """Return the checkpoints in the folder, the newest first."""
        return sorted((p for p in self.folder.iterdir() if NAME.fullmatch(p.name)), reverse=True)

    def newest(self) -> State | None:
        """Return the newest state that is whole; a warning names each damaged file.

        Raises ArgumentError when it belongs to another run, naming the difference, and
        CheckpointError when there are files, and all of them are damaged.
        """
        paths = self.paths()
        for path in paths:
            try:
                state = read(path)
            except CheckpointError as error:
                text = f"{error} The checkpoint before it is used."
                warnings.warn(text, RuntimeWarning, stacklevel=4)
                continue
            self._check(state, path)
            return state
        if paths:
            raise CheckpointError(f"{self.folder}: all {len(paths)} checkpoints are damaged")
        return None

    def note(self, state: State, last: bool) -> None:
        """Take an epoch's state: save it if one is due, and hold it for `flush` if not."""
        self._unsaved = state
        if last or state.epochs % self.every == 0:
            self.flush()

    def flush(self) -> None:
        """Save the last state noted, unless that has been done."""
        if self._unsaved is None:
            return
        state, self._unsaved = self._unsaved, None  # one that cannot be written is told once
        path = self._path(state.epochs)
        data = to_bytes(State(state.epochs, state.tensors, self._with_own(state)))
        try:
            with interrupts_held():
                write_whole(path, data)
                for old in self.paths()[KEPT:]:
                    old.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from None

    def _path(self, epochs: int) -> Path:
        return self.folder / f"checkpoint-{epochs:06d}.safetensors"

    def _with_own(self, state: State) -> dict[str, Any]:
        return {**state.facts, "identity": self.identity}

    def _check(self, state: State, path: Path) -> None:
        theirs = of_any_version(state.facts["identity"])
        for name in sorted({*theirs, *self.identity}):
            if theirs.get(name) != self.identity.get(name):
                raise refuse(
                    "resume",
                    f"must go on with the same {name}, {theirs.get(name)} in {path.name}",
                    self.identity.get(name),
                    "Pass what the run began with, or another folder for a new run.",
                )


def to_bytes(state: State) -> bytes:
    """Return a state as a safetensors file that holds a digest of itself."""
    facts = to_json({"epochs": state.epochs, **state.facts}, sort_keys=True)
    digest = _digest(state.tensors, facts)
    return tensor_bytes(state.tensors, {"format": FORMAT, "facts": facts, "digest": digest})


def read(path: Path) -> State:
    """Return the state in a file. Raises CheckpointError when it is not whole."""
    try:
        metadata, tensors = read_tensors(path)
        facts = metadata["facts"]
        if metadata["format"] != FORMAT or metadata["digest"] != _digest(tensors, facts):
            raise ValueError("its digest is another one")
        plain = json.loads(facts)
        return State(int(plain.pop("epochs")), tensors, plain)
    except Exception as error:  # on nonsense, the parser raises nearly anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{path} is damaged: {said}.") from None


def data_digest(*arrays: Array | None) -> str:
    """Return a digest of arrays: their shapes, types and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]


def _digest(tensors: Mapping[str, Array], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        digest.update(repr((name, tensors[name].shape, tensors[name].dtype.str)).encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _unwritable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be written: {error.strerror or error}. The checkpoints before it are as "
        "they were; make room, or name another folder."
    )
