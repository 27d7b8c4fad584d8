"""The built-in digits (generator)."""

from __future__ import annotations

from fastmlp.datasets.dataset import Dataset


def generate_digits(train: int = 60_000, test: int = 10_000, seed: int = 0) -> Dataset:
    """Generate."""
    raise NotImplementedError
