"""Sparse matrices of SciPy: what the same numbers in an array give, and no dense copy."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

import fastmlp
from fastmlp import kernels
from fastmlp.arrays import SparseRows, as_dense, sparse_rows
from fastmlp.errors import ArgumentError
from fastmlp.training.loop import train

INPUTS, CLASSES = 300, 3


def counts(rows, inputs=INPUTS, each=12, seed=0):
    """Counts of words `(N, I)`, CSR, and classes: a third of the words is of one class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, rows)
    columns = rng.integers(0, inputs, (rows, each))
    columns[:, : each // 3] = columns[:, : each // 3] // CLASSES * CLASSES + y[:, None]
    values = rng.integers(1, 5, rows * each).astype(np.float64)
    parts = values, np.minimum(columns, inputs - 1).ravel(), np.arange(0, rows * each + 1, each)
    return sparse.csr_matrix(parts, shape=(rows, inputs)), y


X, Y = counts(200)
DENSE = X.toarray()


def unsorted(x):
    """The same matrix with its entries cut in two halves, in descending columns."""
    half = x.tocsr(copy=True)
    half.sum_duplicates()
    starts = half.indptr
    order = np.concatenate(
        [np.arange(b, a, -1) for a, b in zip(starts - 1, starts[1:] - 1, strict=False)]
    )
    values, columns = (np.repeat(v[order], 2) for v in (half.data / 2, half.indices))
    return sparse.csr_matrix((values, columns, 2 * starts), shape=x.shape)


def with_zeros(x):
    """The same matrix with entries that are 0."""
    return x + sparse.csr_matrix(
        (np.zeros(len(Y)), (np.arange(len(Y)), np.arange(len(Y)))), x.shape
    )


def wide_indices(x):
    """The same matrix with int64 indices."""
    x = x.copy()
    x.indices, x.indptr = x.indices.astype(np.int64), x.indptr.astype(np.int64)
    return x


FORMS = {
    "csr": lambda x: x,
    "array": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "coo": sparse.coo_array,
    "unsorted": unsorted,
    "zeros": with_zeros,
    "int64": wide_indices,
    "int16": lambda x: x.astype(np.int16),
    "float32": lambda x: x.astype(np.float32),
    "long": lambda x: x.astype(np.longdouble),
}


def trained(x, y=Y, backend="compiled", **how):
    network = fastmlp.Network((INPUTS, 16, CLASSES), dtype="float64")
    how = {"epochs": 2, "batch_size": 32, "scaling": "none"} | how
    history = train(network, x, y, backend=backend, **how)
    return network, history


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_a_matrix_gives_the_answers_of_an_array(form):
    network, _ = trained(X, scaling=None, backend="numpy")
    wanted = network.predict_proba(DENSE)
    given = FORMS[form](X)
    rows, is_one = network.as_rows(given)
    assert isinstance(rows, SparseRows)
    assert not is_one
    np.testing.assert_allclose(rows.dense(), network.as_rows(DENSE)[0], atol=1e-12)
    for backend in ("compiled", "numpy"):
        np.testing.assert_allclose(network.predict_proba(given, backend), wanted, atol=1e-9)
    np.testing.assert_array_equal(network.predict(given), network.predict(DENSE))
    assert network.evaluate(given, Y).cost == pytest.approx(network.evaluate(DENSE, Y).cost)


HOW = {
    "sgd": {},
    "adam": {"optimizer": "adam", "weight_decay": 0.01},
    "few": {"batch_size": 3, "momentum": 0.9},
    "dropout": {"input_dropout": 0.2, "dropout": 0.1, "label_smoothing": 0.1},
    "held out": {"validation": 0.2, "sample_weight": np.linspace(0, 2, len(Y)), "clip_norm": 0.5},
    "averaged": {"average": "ema", "class_weight": "balanced"},
    "halving": {"schedule": "halving", "learning_rate": 8},
}


@pytest.mark.parametrize("how", HOW)
def test_a_run_is_that_of_an_array(how):
    wanted, long = trained(DENSE, **HOW[how])
    for given in ((X, Y), (fastmlp.Split(X, Y), None)):
        network, history = trained(*given, **HOW[how])
        np.testing.assert_allclose(history.train_cost, long.train_cost, rtol=1e-8)
        for mine, theirs in zip(network.weights, wanted.weights, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-9)
    assert history.inputs.startswith("sparse, ")


LARGE = {"epochs": 1, "batch_size": 100, "validation": 0.1, "learning_rate": 1}


@pytest.mark.parametrize(
    ("rows", "how"),
    [
        (40_000, {"optimizer": "adam", "learning_rate": 0.003}),  # 16 GB as an array
        (100_000, {"scaling": "standardize", "impute": "median", "learning_rate": 0.01}),  # 40 GB
    ],
)
def test_a_matrix_far_larger_than_its_memory_trains(rows, how):
    x, y = counts(rows, 50_000, 20 if rows < 50_000 else 12, seed=1)
    if "impute" in how:
        x.data[::1000] = np.nan
    kernels.prepare(np.dtype("float64"))
    tracemalloc.start()
    network = fastmlp.Network((50_000, 8, CLASSES), dtype="float64")
    history = train(network, (x, y), **LARGE | how)
    assert network.evaluate(x, y).accuracy > 0.5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e9
    assert history.validation_accuracy[-1] > 0.5
    assert isinstance(network.as_rows(x)[0], SparseRows)


def test_a_run_resumes_with_the_same_data_only(tmp_path):
    whole, _ = trained(X, epochs=4)
    trained(X, checkpoint=tmp_path)
    again, _ = trained(X, epochs=4, checkpoint=tmp_path, resume=True)
    for mine, theirs in zip(again.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    changed = X.copy()
    changed.indices[0] += 1
    with pytest.raises(ArgumentError, match="needs the same data"):
        trained(changed, epochs=6, checkpoint=tmp_path, resume=True)


def test_a_matrix_whose_columns_changed_behind_its_flags_is_read_anew():
    """SciPy keeps that columns are sorted, also when other ones are assigned."""
    x, order = X.copy(), np.random.default_rng(0).permutation(INPUTS).astype(np.int32)
    x.sum_duplicates()
    assert x.has_canonical_format
    x.indices = order[x.indices]
    assert x.has_canonical_format

    class Changes:
        def on_train_begin(self, progress):
            x.indices[:] = x.indices[::-1].copy()

    wanted, _ = trained(x.toarray().astype(np.float32), optimizer="adam")
    got, _ = trained(x, optimizer="adam", callbacks=Changes())
    for mine, theirs in zip(got.weights, wanted.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


def wrong(**parts):
    """A matrix of which some parts are replaced without a check."""
    x = X.copy()
    for name, value in parts.items():
        setattr(x, name, value)
    return x


def nan():
    x = X.copy()
    x.data[50] = np.nan
    return x


REFUSED = {
    "NaN": (nan, {}, "NaN or infinity in 1 row, the first of them row 4, column"),
    "large": (lambda: X * 1e200, {}, "must lie between"),
    "complex": (lambda: X.astype(complex), {}, "must be numbers"),
    "columns": (lambda: wrong(indices=X.indices + INPUTS), {}, "must be a valid sparse matrix"),
    "starts": (lambda: wrong(indptr=X.indptr[::-1].copy()), {}, "must be a valid sparse matrix"),
    "augment": (lambda: X, {"augment": fastmlp.Augmentation(shift=1)}, "needs square images"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_on_is_refused(name):
    make, how, message = REFUSED[name]
    with pytest.raises(ArgumentError, match=message):
        trained(make(), **how)


def test_another_width_is_refused_and_one_picture_is_an_array():
    network, _ = trained(X, backend="numpy")
    with pytest.raises(ArgumentError, match="300 values each"):
        network.predict(X[:, 1:])
    picture = DENSE[0].reshape(15, 20)
    assert network.predict(sparse.csr_matrix(picture)) == network.predict(DENSE[0])


# columns of every kind of median: among entries below and above 0, zeros, between two of them
SIGNED = np.random.default_rng(3).normal(size=(len(Y), 40))
SIGNED[:] = np.where(
    np.random.default_rng(4).random(SIGNED.shape) < np.linspace(0, 1, 40), SIGNED, 0
)
SIGNED += np.linspace(-1, 1, 40) * (SIGNED != 0)
SIGNED[:, :2] = [[0, 7]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_standardised_matrix_is_divided_by_its_deviations_and_stays_sparse(tmp_path, dtype):
    x = sparse.csr_matrix(SIGNED)
    network = fastmlp.Network((40, 4, CLASSES), dtype=dtype)
    history = train(network, x, Y, epochs=1, scaling="standardize", backend="numpy")
    assert history.scaling == "40 columns, divided by their deviations, not centred"
    network.save(tmp_path / "model.safetensors")
    again = fastmlp.Network.load(tmp_path / "model.safetensors")
    deviation = SIGNED.std(axis=0)
    wanted = SIGNED * np.divide(1, deviation, out=np.zeros(40), where=deviation > 0)
    for given in (x, SIGNED):
        rows = again.as_rows(given)[0]
        assert isinstance(rows, SparseRows) == (given is x)
        np.testing.assert_allclose(as_dense(rows), wanted, rtol=1e-6)
    train(again, x, Y, epochs=1, scaling="standardize", backend="numpy")  # the same choice again
    with pytest.raises(ArgumentError, match="scaling must be that of the first training"):
        train(again, x, Y, epochs=1, scaling="none")


@pytest.mark.parametrize("rows", [len(Y), len(Y) - 1])
@pytest.mark.parametrize("scaling", [None, "standardize"])
def test_holes_of_a_matrix_are_filled_with_medians_and_it_stays_sparse(rows, scaling):
    holes = sparse.csr_matrix(SIGNED[:rows])
    holes.data[::7] = np.nan
    holes.data[holes.indices == 39] = np.nan  # nothing is known of the last column
    network = fastmlp.Network((40, 4, CLASSES), dtype="float64")
    how = {"epochs": 1, "backend": "numpy", "impute": "median", "scaling": scaling}
    assert "missing values filled" in train(network, holes, Y[:rows], **how).scaling
    known = holes.toarray()[:, :39]
    np.testing.assert_allclose(network.scaling.fill[:39], np.nanmedian(known, axis=0))
    given, dense = network.as_rows(holes)[0], network.as_rows(holes.toarray())[0]
    assert isinstance(given, SparseRows)
    np.testing.assert_allclose(given.dense(), dense)


def test_rows_are_taken_as_from_an_array():
    rows = sparse_rows(X, "x")
    for part in (
        slice(3, 9),
        slice(9, 3),
        slice(None),
        np.array([5, 0, 5]),
        Y == 1,
        slice(0, 50, 7),
    ):
        np.testing.assert_array_equal(rows[part].dense(), DENSE[part])
    assert (rows.max(), rows.min()) == (DENSE.max(), 0)
    assert not rows.are_same()
    assert rows[np.array([4, 4])].are_same()
    with pytest.raises(TypeError, match="dense"):
        np.asarray(rows)
