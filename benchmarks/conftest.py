"""What the benchmarks share: the two sides, and peace between them."""

from time import sleep

import numpy as np
import pytest

from fastmlp.backends import backend_named

# NumPy's threads keep the cores busy for a while after a product
SETTLE_SECONDS = 0.3


@pytest.fixture(params=["compiled", "numpy"])
def side(request):
    backend_named(request.param).prepare(np.dtype(np.float32))
    sleep(SETTLE_SECONDS)
    return request.param
