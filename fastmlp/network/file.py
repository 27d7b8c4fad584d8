"""Networks as safetensors files: tensors that other frameworks can read, and metadata in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.arrays.aligned import aligned_copy
from fastmlp.errors import ArgumentError, ModelError
from fastmlp.functions import activation_named, check_outputs, cost_named
from fastmlp.network.scaling import Scaling, scaling_from
from fastmlp.system.files import as_path, write_whole
from fastmlp.system.plain import to_json
from fastmlp.system.tensors import read_tensors, tensor_bytes

FORMAT = "fastmlp 1"
REMEDY = "Pass a file that network.save of this version wrote."
# Of the names of the arrays of the scaling
PREFIX = "scaling."


@dataclass(frozen=True)
class Specification:
    """The description of a network in its file: everything except the parameters.

    The last fields are as in `Network`. Files of earlier versions do not have them; those with a
    default are only in files of networks where they differ from it.
    """

    sizes: tuple[int, ...]
    hidden: tuple[str, ...]
    output: str
    cost: str
    dtype: str
    pixel_scale: float
    class_names: tuple[str, ...] | None
    scaling: Scaling | None
    classes: Array | None
    feature_names: tuple[str, ...] | None
    columns: Mapping[str, Any] | None = None
    several_labels: bool = False


def save(
    path: str | PathLike[str],
    spec: Specification,
    weights: Sequence[Array],
    biases: Sequence[Array],
) -> None:
    """Write `layers.0.weight` `(I, O)`, `layers.0.bias` `(O,)`, … `scaling.factor` and the others.

    The file gets its name only when it is complete. Raises UnwritableError.
    """
    tensors: dict[str, Array] = {}
    for number, (w, b) in enumerate(zip(weights, biases, strict=True)):
        tensors[f"layers.{number}.weight"] = w
        tensors[f"layers.{number}.bias"] = b
    optional = ("columns", "several_labels")
    described = {name: value for name, value in vars(spec).items() if name not in optional or value}
    if spec.scaling is not None:
        described = described | {"scaling": spec.scaling.kind}
        tensors |= {f"{PREFIX}{name}": array for name, array in spec.scaling.tensors().items()}
    metadata = {"format": FORMAT, "network": to_json(described)}
    write_whole(as_path(path, "path"), tensor_bytes(tensors, metadata))


def load(path: str | PathLike[str]) -> tuple[Specification, list[Array], list[Array]]:
    """Return description, weights and biases. Raises ModelError if any part is wrong."""
    from safetensors import SafetensorError

    target = as_path(path, "path")
    try:
        metadata, tensors = read_tensors(target)
    except FileNotFoundError:
        raise ModelError(
            f"{target}: expected a model, found no such file. Check the path."
        ) from None
    except IsADirectoryError:
        found = "found a folder. Pass a file in it."
        raise ModelError(f"{target}: expected a safetensors file, {found}") from None
    except OSError as error:
        raise ModelError(f"{target}: cannot be read: {error.strerror or error}") from None
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{target}: expected a safetensors file of float32 or float64, found something else "
            f"({error}). {REMEDY}"
        ) from None
    if metadata.get("format") != FORMAT:
        raise ModelError(
            f"{target}: expected a model that fastmlp saved ({FORMAT!r} in its metadata), "
            f"found {metadata.get('format')!r}. {REMEDY}"
        )
    try:
        of_scaling = {
            name.removeprefix(PREFIX): np.array(tensors.pop(name))
            for name in list(tensors)
            if name.startswith(PREFIX)
        }
        spec = _checked_spec(json.loads(metadata.get("network", "")), of_scaling)
    except (ArgumentError, ValueError, TypeError, KeyError, RecursionError) as error:
        said = f"its description of the network is damaged, or of a newer version: {error}"
        raise ModelError(f"{target}: {said}") from None
    return spec, *_checked_tensors(target, spec, tensors)


def _checked_spec(spec: Any, of_scaling: dict[str, Array]) -> Specification:
    sizes, names = spec["sizes"], spec["class_names"]
    classes, features = spec.get("classes"), spec.get("feature_names")
    columns, several = spec.get("columns"), spec.get("several_labels", False)
    # earlier versions did not scale
    kind = spec.get("scaling", "none")
    if not all(type(size) is int and 0 < size < 1 << 31 for size in sizes) or len(sizes) < 2:
        raise ValueError(f"sizes are {sizes!r}")
    if len(spec["hidden"]) != len(sizes) - 2:
        raise ValueError(f"{len(spec['hidden'])} hidden activations for sizes {sizes!r}")
    for name in (*spec["hidden"], spec["output"]):
        activation_named(name, "activation")
    check_outputs(spec["output"], sizes[-1])
    cost_named(spec["cost"], spec["output"])
    if spec["dtype"] not in ("float32", "float64"):
        raise ValueError(f"dtype is {spec['dtype']!r}")
    for what, listed, count, allowed in (
        ("class names", names, max(sizes[-1], 2), (str,)),
        ("classes", classes, max(sizes[-1], 2), (str, int)),
        ("feature names", features, sizes[0], (str,)),
    ):
        if listed is not None and not (
            len(listed) == count and {type(one) for one in listed} in [{each} for each in allowed]
        ):
            raise ValueError(f"{len(listed)} {what} for sizes {sizes!r}")
    scale = float(spec["pixel_scale"])
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"pixel_scale is {scale}")
    if not (columns is None or isinstance(columns, dict)):
        raise ValueError(f"columns are {columns!r}")
    if not isinstance(several, bool):
        raise ValueError(f"several_labels is {several!r}")
    return Specification(
        tuple(sizes),
        tuple(spec["hidden"]),
        spec["output"],
        spec["cost"],
        spec["dtype"],
        scale,
        None if names is None else tuple(names),
        None if kind is None else scaling_from(kind, sizes[0], of_scaling),
        None if classes is None else np.array(classes),
        None if features is None else tuple(features),
        columns,
        several,
    )


def _checked_tensors(
    path: Path, spec: Specification, tensors: dict[str, Array]
) -> tuple[list[Array], list[Array]]:
    weights: list[Array] = []
    biases: list[Array] = []
    expected: dict[str, tuple[int, ...]] = {}
    for number, (inputs, outputs) in enumerate(pairwise(spec.sizes)):
        expected[f"layers.{number}.weight"] = (inputs, outputs)
        expected[f"layers.{number}.bias"] = (outputs,)
    if expected.keys() != tensors.keys():
        raise ModelError(f"{path}: expected tensors {list(expected)}, found {sorted(tensors)}")
    for name, shape in expected.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != spec.dtype:
            raise ModelError(
                f"{path}: expected {name} to be {spec.dtype} of shape {shape}, "
                f"found {tensor.dtype} of shape {tensor.shape}"
            )
        (weights if name.endswith("weight") else biases).append(aligned_copy(tensor, tensor.dtype))
    return weights, biases
