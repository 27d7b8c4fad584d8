"""Arrays of any kind become NumPy arrays, or are refused with a remedy."""

from datetime import date

import numpy as np
import pytest

from fastmlp.arrays import as_dense, as_numbers, as_rows, column_names
from fastmlp.errors import ArgumentError

TABLE = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


class Tensor:
    """As a tensor of torch that requires a gradient: NumPy cannot convert it."""

    __module__ = "torch"
    shape = TABLE.shape

    def __init__(self, kind="float32"):
        self.kind = kind

    def __array__(self, *_, **__):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def float(self):
        return Tensor()

    def numpy(self, *, force=False):
        if not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.kind == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return TABLE.astype(np.float32)


def sparse(values):
    from scipy.sparse import csr_array

    return csr_array(values)


def frame(values, **columns):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(values, columns=["a", "b"]).assign(**columns)


def lent(library, make):
    """What a function makes of a package, skipped where that is missing."""
    return lambda: make(pytest.importorskip(library))


def dated(library, **how):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip(library)
    return frame(TABLE).assign(b=pandas.date_range("2026", periods=3, **how))


KINDS = {
    "matrix": lambda: TABLE.view(np.matrix),
    "read-only": lambda: np.lib.stride_tricks.as_strided(TABLE, writeable=False),
    "csc": lent("scipy.sparse", lambda m: m.csc_matrix(TABLE)),
    "coo": lent("scipy.sparse", lambda m: m.coo_array(TABLE)),
    "polars": lent("polars", lambda m: m.DataFrame(TABLE, schema=["a", "b"])),
    "polars, decimals": lent(
        "polars", lambda m: m.DataFrame(TABLE, schema=["a", "b"]).cast({"b": m.Decimal(9, 2)})
    ),
    "arrow": lent("pyarrow", lambda m: m.table({"a": TABLE[:, 0], "b": TABLE[:, 1]})),
    "arrow batch": lent(
        "pyarrow", lambda m: m.table({"a": TABLE[:, 0], "b": TABLE[:, 1]}).to_batches()[0]
    ),
    "frame on arrow": lent(
        "pyarrow", lambda m: frame(TABLE).convert_dtypes(dtype_backend="pyarrow")
    ),
    "frame of categories": lambda: frame(TABLE).assign(b=frame(TABLE).b.astype("category")),
    "torch, gradient": lent("torch", lambda m: m.tensor(TABLE, requires_grad=True)),
    "torch, bfloat16": lent("torch", lambda m: m.tensor(TABLE).bfloat16().requires_grad_()),
    "torch, columns": lent("torch", lambda m: m.tensor(TABLE.T.copy()).T),
    "torch, strides": lent("torch", lambda m: m.tensor(np.repeat(TABLE, 2, axis=1))[:, ::2]),
    "torch, negative": lent("torch", lambda m: m._neg_view(m.tensor(-TABLE))),
    "list": lambda: TABLE.tolist(),
    "rows": lambda: list(TABLE),
    "big-endian": lambda: TABLE.astype(">f8"),
    "columns first": lambda: np.asfortranarray(TABLE),
    "objects": lambda: TABLE.astype(object),
    "integers": lambda: TABLE.astype(np.int16),
    "half": lambda: TABLE.astype(np.float16),
    "long": lambda: TABLE.astype(np.longdouble),
    "masked nowhere": lambda: np.ma.masked_array(TABLE, mask=False),
    "tensor": Tensor,
    "bfloat16": lambda: Tensor("bfloat16"),
    "arrays": lambda: np.split(TABLE, 3),
    "sparse": lambda: sparse(TABLE),
    "frame": lambda: frame(TABLE),
    "frame of objects": lambda: frame(TABLE.astype(object)),
    "frame of several kinds": lambda: frame(TABLE, b=[2, 4, 6]),
    "frame with missing kinds": lambda: frame(TABLE).convert_dtypes(),
    "series of rows": lambda: frame(TABLE).apply(list, axis=1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_any_kind_are_the_same_numbers(kind):
    rows, is_one = as_rows(KINDS[kind](), 2)
    np.testing.assert_array_equal(as_dense(rows), TABLE)
    assert rows.dtype.kind in "iuf"
    assert rows.dtype.isnative
    assert not is_one


def test_a_list_of_tensors_is_one_array():
    assert as_numbers([Tensor(), Tensor("bfloat16")], "images").shape == (2, *TABLE.shape)


@pytest.mark.parametrize(
    "values",
    [
        np.ma.masked_equal(TABLE, 4.0),
        np.ma.masked_equal(TABLE.astype(int), 4),
        [[1.0, 2.0], [3.0, None], [5.0, 6.0]],
    ],
)
def test_masked_and_missing_numbers_are_nan(values):
    found = as_numbers(values, "images")
    np.testing.assert_array_equal(found, np.where(TABLE == 4, np.nan, TABLE))


# DataFrames whose values 4 are missing
MISSING = {
    "polars": lent("polars", lambda m: m.DataFrame({"a": [1, 3, 5], "b": [2, None, 6]})),
    "arrow": lent("pyarrow", lambda m: m.table({"a": [1, 3, 5], "b": [2, None, 6]})),
    "frame on arrow": lent(
        "pyarrow", lambda m: frame(TABLE).assign(b=[2, None, 6]).astype("int64[pyarrow]")
    ),
    "nullable": lambda: frame(TABLE).assign(b=[2, None, 6]).astype("Int64"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_missing_numbers_of_frames_are_nan(kind):
    rows, _ = as_rows(MISSING[kind](), 2, names=("a", "b"))
    np.testing.assert_array_equal(rows, np.where(TABLE == 4, np.nan, TABLE))


DATES = "images, column 'b', must be numbers; got .* Convert dates to numbers"
REFUSED = {
    "dates": (lambda: dated("pandas"), DATES),
    "dates of a zone": (lambda: dated("pandas", tz="UTC"), DATES),
    "periods": (lambda: frame(TABLE).assign(b=dated("pandas").b.dt.to_period("D")), DATES),
    "dates on arrow": (
        lambda: dated("pyarrow").astype({"b": "timestamp[ns][pyarrow]"}),
        DATES,
    ),
    "polars, dates": (
        lent("polars", lambda m: m.DataFrame({"a": [1.0], "b": [date(2026, 1, 1)]})),
        DATES,
    ),
    "polars, lazy": (
        lent("polars", lambda m: m.DataFrame(TABLE).lazy()),
        r"images must be an array; got LazyFrame. Pass a DataFrame: frame.collect\(\)",
    ),
    "torch, sparse": (
        lent("torch", lambda m: m.tensor(TABLE).to_sparse()),
        r"images must be an array; .* Tensor\.to_dense",
    ),
    "torch, loader": (
        lent("torch.utils.data", lambda m: m.DataLoader([1])),
        "images must be an array; got DataLoader",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_packages_have_but_no_numbers_is_refused(kind):
    make, message = REFUSED[kind]
    with pytest.raises(ArgumentError, match=message):
        as_rows(make(), 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([["1", "x"]], "images must be numbers; got dtype <U1. Encode texts as numbers"),
        (np.array([[1.0, "x"]], object), "images must be numbers; got 'x'. Encode texts"),
        (np.zeros((3, 2), "M8[D]"), "images must be numbers; got .* Convert dates to numbers"),
        (np.zeros((3, 2), complex), "images must be numbers; got .* Pass real numbers"),
        ([[1, 2], [3]], "images must be an array; got a list whose items have different shapes"),
        (None, "images must be an array; got NoneType"),
        ((row for row in TABLE), "images must be an array; got generator. .* load_dataset reads"),
        ({1.0, 2.0}, "images must be an array; got set"),
        ("train.csv", "images must be an array; got str"),
        (np.zeros(3, "f8,f8"), "must be numbers; got dtype .*structured_to_unstructured"),
        (np.zeros((0, 2)), "images must not be empty"),
        (np.zeros((1, 3)), r"must have 2 values each, .* got shape \(1, 3\). Pass an array"),
        (np.zeros((2, 1)), r"must have 2 values each, .* One sample is of shape \(2,\)"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(values, message):
    with pytest.raises(ArgumentError, match=message):
        as_rows(values, 2)


def test_one_image_is_flat_or_has_the_sides_of_a_picture():
    for shape in ((784,), (28, 28)):
        assert as_rows(np.zeros(shape), 784)[1]
    assert not as_rows(np.zeros((1, 784)), 784)[1]
    assert as_rows(np.zeros((2, 4, 4, 3)), 48)[0].shape == (2, 48)
    assert as_rows(np.zeros((4, 4, 3)), 48)[1]
    for kind in (float, np.uint8):
        with pytest.raises(ArgumentError, match=r"One sample is of shape \(6,\)"):
            as_rows(np.zeros((2, 3), kind), 6)


def test_columns_of_a_frame_are_found_by_name():
    table = frame(TABLE)
    assert column_names(table) == ("a", "b")
    assert column_names(table.set_axis([0, 1], axis=1)) is None
    for given in (table[["b", "a"]], frame(TABLE, more=1.0), table):
        np.testing.assert_array_equal(as_rows(given, 2, names=("a", "b"))[0], TABLE)
    row, is_one = as_rows(table[["b", "a"]].iloc[1], 2, names=("a", "b"))
    assert is_one
    np.testing.assert_array_equal(row, TABLE[1:2])
    with pytest.raises(ArgumentError, match=r"columns of different names; got 'a' twice"):
        as_rows(table.set_axis(["a", "a"], axis=1), 2)
    with pytest.raises(ArgumentError, match=r"none named 'b'. The columns are a, b"):
        as_rows(table[["a"]], 2, names=("a", "b"))
    with pytest.raises(ArgumentError, match=r"images, column 'city', must be numbers; got 'Rome'"):
        as_rows(frame(TABLE, city=["Rome", "Oslo", "Bern"])[["a", "city"]], 2)
