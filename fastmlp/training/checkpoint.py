"""Checkpoints: the complete state of a run, so that it can continue with the same bits."""

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

from fastmlp.arrays import Array, Rows, SparseRows
from fastmlp.errors import CheckpointError, in_one_line, refuse
from fastmlp.system.files import check_folder, remove_parts, write_whole
from fastmlp.system.interrupts import hold_interrupts
from fastmlp.system.plain import to_json
from fastmlp.system.tensors import read_tensors, tensor_bytes
from fastmlp.training.comparing import may_grow, upgrade_identity

FORMAT = "fastmlp checkpoint 1"
NAME = re.compile(r"checkpoint-(\d{6,})\.safetensors")
# Of what a resumed run compares, these are digests: their values say nothing to people
DIGESTS = {
    "data": "data as before, with the same held-out part, weights and scaling",
    "validation": "validation data as before",
}
# The number of checkpoints to keep: if the newest is damaged, the one before it is used
KEPT = 3


@dataclass(frozen=True)
class State:
    """The state of a run after an epoch.

    epochs : the number of epochs done; tensors : arrays by name; facts : all other values, which
    become plain ones in a file
    """

    epochs: int
    tensors: dict[str, Array]
    facts: dict[str, Any]


class Checkpoints:
    """The folder of the checkpoints of a run.

    identity : what must be equal in a resumed run: settings and a digest of the data
    every : the number of epochs between two checkpoints
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], every: int) -> None:
        self.folder, self.every = folder, every
        self.identity: dict[str, Any] = json.loads(to_json(dict(identity)))
        self._unsaved: State | None = None

    def begin(self, resume: bool) -> State | None:
        """Make the folder; return the state to resume from, or None for a new run.

        Raises ArgumentError if a new run would write into a folder with checkpoints, and
        CheckpointError if the folder cannot be made or written to.
        """
        try:
            self.folder = check_folder(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        if resume:
            remove_parts(self.folder)
            return self.read_newest()
        check_unused(self.folder)
        return None

    def read_newest(self) -> State | None:
        """Return the newest valid state, or None if there is no file. Warns of each damaged file.

        Raises ArgumentError, with the difference, if the state belongs to another run, and
        CheckpointError if all files are damaged.
        """
        paths = list_paths(self.folder)
        for path in paths:
            try:
                state = read(path)
            except CheckpointError as error:
                rest = "" if path == paths[-1] else " The checkpoint before it is tried."
                warnings.warn(f"{error}{rest}", RuntimeWarning, stacklevel=4)
                continue
            self._check(state, path)
            return state
        if paths:
            all_of = f"{self.folder}: all {len(paths)} checkpoints are damaged"
            raise CheckpointError(f"{all_of}. Name another folder for a new run, or remove them.")
        return None

    def add(self, state: State, last: bool) -> None:
        """Save the state of an epoch if a checkpoint is due; otherwise keep it for `flush`.

        That of the start, after 0 epochs, is not due.
        """
        self._unsaved = state
        if state.epochs and (last or state.epochs % self.every == 0):
            self.flush()

    def flush(self) -> None:
        """Save the last state that `add` received, if it is not saved yet."""
        if self._unsaved is None:
            return
        state, self._unsaved = self._unsaved, None  # an error is raised only once for each state
        path = self.folder / f"checkpoint-{state.epochs:06d}.safetensors"
        facts = {**state.facts, "identity": self.identity}
        data = to_bytes(State(state.epochs, state.tensors, facts))
        try:
            with hold_interrupts():
                write_whole(path, data)
                for old in list_paths(self.folder)[KEPT:]:
                    old.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from None

    def _check(self, state: State, path: Path) -> None:
        theirs = upgrade_identity(state.facts["identity"])
        names = {*theirs, *self.identity}
        # another seed, say, divides the data in other ways; another optimiser has another rate
        for name in sorted(names, key=lambda name: (name in DIGESTS, name != "optimizer", name)):
            own, remedy = self.identity.get(name), "Pass the earlier value"
            if theirs.get(name) == own:
                continue
            if name in DIGESTS:
                rule, other = f"needs the same {DIGESTS[name]}", "Pass those, or another folder."
                if name == "data":
                    other += " Earlier versions may have scaled them, or held out, in other ways."
                raise refuse("resume", rule, "others", other)
            if name == "epochs":
                if may_grow(self.identity, state.epochs):
                    continue
                remedy += ", or train the saved model again (a run can get more epochs, if its "
                remedy += "schedule is constant, halving or plateau, and its warm-up is 0, or a "
                remedy += "number of epochs that are over)"
            rule = f"needs the same {name} as before, {theirs.get(name)} in {path.name}"
            raise refuse("resume", rule, own, f"{remedy}, or another folder for a new run.")


def list_paths(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest first."""
    found = {path: NAME.fullmatch(path.name) for path in folder.iterdir()}
    epochs = {path: int(match[1]) for path, match in found.items() if match}
    return sorted(epochs, key=epochs.__getitem__, reverse=True)


def check_unused(folder: Path) -> None:
    """Refuse a folder for a new run if it has checkpoints."""
    if folder.is_dir() and list_paths(folder):
        rule, got = "must be empty for a new run", f"{folder}, with checkpoints in it"
        remedy = "Pass resume=True to continue that run, or another folder."
        raise refuse("checkpoint", rule, got, remedy)


def to_bytes(state: State) -> bytes:
    """Return a state as a safetensors file that contains a digest of its content."""
    facts = to_json({"epochs": state.epochs, **state.facts})
    digest = _digest(state.tensors, facts)
    return tensor_bytes(state.tensors, {"format": FORMAT, "facts": facts, "digest": digest})


def read(path: Path) -> State:
    """Return the state in a file. Raises CheckpointError if the file is damaged."""
    try:
        metadata, tensors = read_tensors(path)
        facts = metadata["facts"]
        if metadata["format"] != FORMAT or metadata["digest"] != _digest(tensors, facts):
            raise ValueError("its digest is wrong")
        plain = json.loads(facts)
        return State(int(plain.pop("epochs")), tensors, plain)
    except Exception as error:  # for a damaged file, the parser raises nearly anything
        said = in_one_line(error)
        raise CheckpointError(f"{path} is damaged: {said}.") from None


def data_digest(*data: Rows | None) -> str:
    """Return a digest of arrays, or of those of sparse rows: shapes, types and bytes."""
    digest = hashlib.sha256()
    for rows in data:
        if rows is None:
            continue
        digest.update(repr((rows.shape, rows.dtype.str)).encode())
        parts: tuple[Array, ...] = rows.parts if isinstance(rows, SparseRows) else (rows,)
        for array in parts:
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
        f"{path} cannot be written: {error.strerror or error}. Earlier checkpoints are unchanged; "
        "free some space, or name another folder."
    )
