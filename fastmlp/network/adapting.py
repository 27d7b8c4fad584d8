"""Lets a network know its first training data, and prepares later data as those."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from fastmlp.arrays import (
    PIECE,
    Array,
    Rows,
    SparseRows,
    as_rows,
    check_scale,
    column_names,
    is_picture,
    order_of,
)
from fastmlp.arrays.frames import has_texts, is_frame, is_series, labels_of
from fastmlp.arrays.given import Names
from fastmlp.arrays.images import PLAIN
from fastmlp.errors import refuse
from fastmlp.network.classes import learn_classes
from fastmlp.network.deciding import check_choices, decide_scaling, pixel_scale_of
from fastmlp.network.known import PIXEL_SCALE, Knowing
from fastmlp.network.scaling import Scaling

BYTES = np.dtype(np.uint8)
UNSCALED = Scaling("none", 0)  # before the first training
N = TypeVar("N", bound=Knowing)


def introduced(
    network: N, images: Any, labels: Any, argument: str, names: Names = None
) -> tuple[N, Rows]:
    """Return (copy, rows): a copy that knows columns and classes of training data, and these.

    The copy has the parameters of the network itself, and its own attributes KNOWN. They are
    decided only if the network was not trained before. The rows are not scaled yet; a DataFrame
    with texts is only encoded by `fitted`, which knows the rows that fill missing values.

    names : of the columns of an array; a DataFrame has its own

    Raises ArgumentError for data that do not fit the network.
    """
    twin = copy.copy(network)
    if twin.scaling is not None:
        return twin, _unscaled(twin, images, argument, names)[0]
    named = tuple(names) if names else column_names(images)
    if has_texts(images):
        rows, named = images, None
    else:
        rows, _ = as_rows(images, twin.sizes[0], argument, named)
    twin.classes, twin.feature_names = None, named
    learn_classes(twin, labels, argument.replace("images", "labels"))
    return twin, rows


def fitted(
    twin: Knowing,
    images: Any,
    rows: Rows,
    argument: str,
    scaling: str | None = None,
    impute: str | None = None,
    training: Any = slice(None),
    is_table: bool = False,
) -> Rows:
    """Return the rows of training data as engines need them; decide `twin.scaling` if it is None.

    twin, rows : of `introduced`; scaling, impute, training : as in `decide_scaling`
    is_table : whether bytes are no pixels; those of a DataFrame with names never are

    Raises ArgumentError for a choice that there is not, or that does not fit what the network was
    trained on.
    """
    check_choices(scaling, impute)
    check_scale(twin.pixel_scale, twin.dtype)
    if is_frame(rows):
        rows = images = _encoded(twin, rows, argument, training if impute else None)
    if twin.scaling is not None:
        _check_same(twin.scaling, scaling, impute)
        return scaled(twin, rows, argument)
    if scaling is None and twin.pixel_scale != PIXEL_SCALE and rows.dtype == np.uint8:
        scaling = "none"  # the user has decided what pixels are multiplied by
    what = rows, twin.dtype, argument, scaling, impute
    picture = is_picture(images, twin.sizes[0])
    is_table = is_table or column_names(images) is not None
    twin.scaling = decide_scaling(*what, picture, training, is_table)
    twin.pixel_scale = pixel_scale_of(twin.scaling, rows, twin.pixel_scale)
    return scaled(twin, rows, argument)


def _encoded(twin: Knowing, frame: Any, argument: str, fill_from: Any) -> Array:
    """Return the inputs in a DataFrame with texts; set `twin.columns` to its description."""
    from fastmlp.datasets.frames import describe_frame

    task = "regression" if twin.task == "regression" else "classification"
    twin.columns, found = describe_frame(frame, argument, task, fill_from)
    inputs, needed = twin.sizes[0], found.shape[1]
    if inputs != needed:
        rule = f"must become {inputs} numbers each, one for each input of the network"
        got = f"{frame.shape[1]} columns, which become {needed}: one for each different text"
        raise refuse(argument, rule, got, f"Build a network with {needed} inputs.")
    twin.feature_names = _names_of(twin.columns)
    return found


def prepared_rows(
    network: Knowing, images: Any, argument: str = "images", names: Names = None
) -> tuple[Rows, bool]:
    """Return (rows, is_one): images `(N, I)` as engines need them, and whether they are one image.

    rows : C-contiguous uint8, float32 or float64, or sparse, in the precision of the network;
        scaled as the training data were. Those of a network that was never trained, or whose file
        is of an earlier version, are not scaled
    """
    rows, is_one = _unscaled(network, images, argument, names)
    return scaled(network, rows, argument), is_one


def _unscaled(network: Knowing, images: Any, argument: str, names: Names) -> tuple[Rows, bool]:
    """Return what `prepared_rows` does, with rows of any numbers, which are not scaled."""
    if network.columns and "inputs" in network.columns and (is_frame(images) or is_series(images)):
        images = _of_columns(network, network.columns, images, argument)
    images = in_order(network, images, argument, names)
    known = _known_names(network, labels_of(images), argument)
    return as_rows(images, network.sizes[0], argument, known)


def in_order(network: Knowing, images: Any, argument: str, names: Names) -> Any:
    """Return images `(N, I)` with columns of these names as in training, if their names are known.

    Raises ArgumentError if a column of the training data is not there.
    """
    known = _known_names(network, names or (), argument)
    if names and known and tuple(names) != known:
        return images[:, _order_of(names, known, argument)]
    return images


def _known_names(network: Knowing, names: Sequence[str], argument: str) -> tuple[str, ...] | None:
    """Return the names of a network's inputs, by which they are found among columns of `names`.

    Raises ArgumentError for columns 0, 1, 2, … in another order, if a trained network has no names.
    """
    known = network.feature_names or (_names_of(network.columns) if names else None)
    if known is None and network.scaling is not None and len(names) == network.sizes[0]:
        counted = [*map(str, range(len(names)))]
        if sorted(names) == sorted(counted) and [*names] != counted:
            rule = "must have columns 0, 1, 2, … in this order, as the network knows no names"
            raise refuse(argument, rule, ", ".join(names[:8]), "Sort them, or pass an array.")
    return known


def _names_of(columns: Any) -> tuple[str, ...] | None:
    """Return the names of the inputs that columns of a table become; None without any."""
    from fastmlp.datasets.columns import Columns

    return Columns.from_plain(columns).expanded if columns and "inputs" in columns else None


def _order_of(names: Sequence[str], known: tuple[str, ...], argument: str) -> list[int]:
    """Return where the known inputs are among those of a table.

    Raises ArgumentError if one is not, and if a column has texts that are not known.
    """
    columns = {name.partition("=")[0] for name in known if "=" in name}
    new = [n for n in names if n.partition("=")[0] in columns and n not in known]
    lacking = [name for name in known if name not in names]
    if new or (lacking and columns):
        rule = "must have the inputs of the training data"
        got = f"{new[0]!r}, which it had not" if new else f"none named {lacking[0]!r}"
        remedy = "Load them with load_dataset(..., columns=network.columns)."
        raise refuse(argument, rule, got, remedy)
    return order_of(names, known, argument)


def _of_columns(network: Knowing, columns: Any, images: Any, argument: str) -> Any:
    """Return a DataFrame, or a row of one, as the inputs of the table a network was trained on.

    One without names is returned unchanged if it has as many columns as the network has inputs.
    """
    from fastmlp.datasets.frames import encode_frame

    frame = images.to_frame().T if is_series(images) else images
    positional = column_names(frame) is None and frame.shape[1] == network.sizes[0]
    if positional and not has_texts(frame):
        return images
    found = encode_frame(frame, columns, argument)
    return found if frame is images else found[0]


def limit_of(network: Knowing, kind: np.dtype[Any]) -> float | None:
    """Return the sum of squares up to which one image stays as it is; None for any, -1 if never.

    Those of more than PIECE numbers are not added at once: see `sum_of_squares`.
    """
    if is_kept(network, kind):
        return None
    if kind.kind != "f" or network.sizes[0] > PIECE:
        return -1.0
    return (network.scaling or UNSCALED).square_limit(network.dtype)


def is_steady(network: Knowing, kind: np.dtype[Any]) -> bool:
    """Return whether rows of a dtype are prepared alike, whatever their numbers are."""
    scaling = network.scaling
    is_pixels = scaling is not None and scaling.kind == "pixels"
    return kind in PLAIN and (not is_pixels or is_kept(network, kind))


def is_kept(network: Knowing, kind: np.dtype[Any]) -> bool:
    """Return whether rows of a dtype stay as they are: bytes that are pixels."""
    scaling = network.scaling
    return kind == BYTES and (
        scaling is None
        or scaling.kind == "none"
        or (scaling.kind == "pixels" and network.pixel_scale <= PIXEL_SCALE)
    )


def scaled(network: Knowing, rows: Rows, argument: str) -> Rows:
    """Return rows as engines need them; bytes that are pixels at once."""
    if not isinstance(rows, SparseRows) and is_kept(network, rows.dtype):
        return np.ascontiguousarray(rows)
    scaling = network.scaling or UNSCALED
    return scaling.apply(rows, network.dtype, network.pixel_scale, argument)


def _check_same(known: Scaling, scaling: str | None, impute: str | None) -> None:
    """Refuse a choice that differs from that of the first training."""
    remedy = "Leave it out; in Python, network.scaling = None decides anew."
    chosen = {"unchanged": "none", "deviation": "standardize"}.get(known.kind, known.kind)
    if scaling is not None and scaling != chosen:
        rule = "must be that of the first training"
        raise refuse("scaling", rule, f"{scaling!r}, where inputs are {known}", remedy)
    if impute is not None and known.fill is None:
        rule = "must be given in the first training"
        raise refuse("impute", rule, f"{impute!r}, where it was not", remedy)
