"""Gradients of limited norm: the reference's steps, and the same bits for any team."""

import itertools

import numpy as np
import pytest
from networks import fingerprint, parameters, pixels, read

from fastmlp import kernels, reference

# Those that without a limit are taken by samples, by inputs, by columns then rows, and by columns
NETWORKS = [((30, 64, 64, 2), 130), ((300, 16, 16, 3), 5), ((133, 100, 3), 64), ((20, 70), 1)]
CASES = list(itertools.product(NETWORKS, (False, True), ({}, {"clip_value": 0.01, "l1": 1e-3})))


def trained(module, case, dtype, threads=2, optimizer="adam", norm=0.05, steps=3):
    (sizes, batch), sparse, limits = case
    rng, samples = np.random.default_rng(batch), steps * batch - batch // 2
    own = parameters(rng, sizes, dtype)
    images = pixels(rng, samples, sizes[0], 0.2 if sparse else 1.0)
    y, order = rng.integers(0, sizes[-1], samples), rng.permutation(samples)
    names = (*["relu"] * (len(sizes) - 2), "softmax")
    settings = {"clip_norm": norm, **limits}
    engine = module.Engine(*own, names, "cross_entropy", batch, optimizer, settings, threads)
    costs, _ = engine.train(images, y, order, np.full(steps, 0.01), 1 / 255)
    return [*read(engine, *own), costs], engine


@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps_are_the_reference_s_and_the_same_bits_for_any_team(case):
    optimizer = ("adam", "sgd")[case[1]]
    exact, _ = trained(reference, case, np.float64, optimizer=optimizer)
    found, engine = trained(kernels, case, np.float64, optimizer=optimizer)
    assert engine.inputs.startswith("sparse" if case[1] and len(case[0][0]) > 2 else "dense")
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    free, _ = trained(reference, case, np.float64, optimizer=optimizer, norm=1e9)
    assert np.abs(free[0] - exact[0]).max() > 1e-6  # the limit was reached
    prints = set()
    for threads in (1, 2, 3, 7):
        found, _ = trained(kernels, case, np.float32, threads, optimizer)
        prints.add(fingerprint(*found))
    assert len(prints) == 1
    exact, _ = trained(reference, case, np.float32, optimizer=optimizer)
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_the_norm_of_a_gradient_is_the_limit():
    # the velocity of a momentum of 0 is the last gradient
    found, _ = trained(kernels, (NETWORKS[0], False, {}), np.float64, optimizer="sgd")
    size = np.sqrt(sum(np.square(v).sum() for v in found[6:12]))
    np.testing.assert_allclose(size, 0.05, rtol=1e-4)


def test_a_trace_has_the_gradients_without_a_limit_and_changes_nothing():
    sizes, batch = NETWORKS[2]
    rng = np.random.default_rng(0)
    own, images = parameters(rng, sizes, np.float64), pixels(rng, batch, sizes[0])
    given = images, rng.integers(0, 3, batch), np.arange(batch), 1 / 255
    what = *own, ("relu", "softmax"), "cross_entropy", batch, "adam"
    engine = kernels.Engine(*what, {"clip_norm": 1e-3})
    before, wanted = read(engine, *own), kernels.Engine(*what).trace(*given)
    found = engine.trace(*given)
    for one, other in zip((*found.dw, *found.db), (*wanted.dw, *wanted.db), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-15)
    assert fingerprint(*read(engine, *own)) == fingerprint(*before)
