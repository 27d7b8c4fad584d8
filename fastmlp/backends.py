"""The two backends by name, imported only when used: compiling is not for those who read help."""

from __future__ import annotations

from types import ModuleType

from fastmlp.errors import refuse

BACKENDS = ("compiled", "numpy")


def backend_named(name: str) -> ModuleType:
    """Return `fastmlp.kernels` for "compiled" and `fastmlp.reference` for "numpy".

    Both modules have the same functions with the same signatures.
    """
    if name == "compiled":
        from fastmlp import kernels

        return kernels
    if name == "numpy":
        from fastmlp import reference

        return reference
    raise refuse("backend", "must name a backend", repr(name), f"Choose from {BACKENDS}.")
