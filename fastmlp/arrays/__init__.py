"""What users pass, checked and converted to NumPy arrays; the type Array."""

from fastmlp.arrays.checks import (
    Array,
    as_generator,
    check_at_least,
    check_between,
    check_finite,
    check_flag,
    check_indices,
    check_out,
    check_scale,
    quiet,
)
from fastmlp.arrays.frames import column_names
from fastmlp.arrays.given import as_array, as_numbers, is_sparse_matrix, order_of
from fastmlp.arrays.images import as_rows, is_picture, shape_of
from fastmlp.arrays.labels import (
    as_label_values,
    as_labels_or_targets,
    as_sample_weight,
    check_present,
    encode_labels,
)
from fastmlp.arrays.magnitudes import PIECE, check_magnitudes, sum_of_squares
from fastmlp.arrays.names import check_names, plain_label
from fastmlp.arrays.sparse import Rows, SparseRows, as_dense, density, sparse_rows

__all__ = [
    "PIECE",
    "Array",
    "Rows",
    "SparseRows",
    "as_array",
    "as_dense",
    "as_generator",
    "as_label_values",
    "as_labels_or_targets",
    "as_numbers",
    "as_rows",
    "as_sample_weight",
    "check_at_least",
    "check_between",
    "check_finite",
    "check_flag",
    "check_indices",
    "check_magnitudes",
    "check_names",
    "check_out",
    "check_present",
    "check_scale",
    "column_names",
    "density",
    "encode_labels",
    "is_picture",
    "is_sparse_matrix",
    "order_of",
    "plain_label",
    "quiet",
    "shape_of",
    "sparse_rows",
    "sum_of_squares",
]
