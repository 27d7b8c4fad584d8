"""Names of classes and columns: texts and numbers in a sequence, nothing else."""

import numpy as np
import pytest

from fastmlp.arrays import check_names
from fastmlp.errors import ArgumentError

NAMES = {
    "texts": ["a", "b"],
    "bytes": (b"a", b"b"),
    "an array": np.array(["a", "b"]),
    "an index": lambda: pytest.importorskip("pandas").Index(["a", "b"]),
}
WRONG = ([["a"], ["b"]], [None, "b"], {"a", "b"}, {"a": 1, "b": 2}, "ab", b"ab", iter("ab"), 2)


@pytest.mark.parametrize("case", NAMES)
def test_names_become_texts(case):
    names = NAMES[case]() if callable(NAMES[case]) else NAMES[case]
    assert check_names("names", names, 2, "class") == ("a", "b")
    assert check_names("names", [1, 2.5], None, "class") == ("1", "2.5")


@pytest.mark.parametrize("names", WRONG, ids=repr)
def test_what_are_no_names_is_refused(names):
    with pytest.raises(ArgumentError, match="names must be 2 names, one for each class, or None"):
        check_names("names", names, 2, "class")
    with pytest.raises(ArgumentError, match="names must be names, one for each class, or None"):
        check_names("names", names, None, "class")
