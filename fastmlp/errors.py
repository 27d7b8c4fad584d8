"""Every exception that fastmlp raises on purpose, and the one sentence form they share."""

from __future__ import annotations


class FastMLPError(Exception):
    """Base of all errors below: catch this to catch them all."""


class ArgumentError(FastMLPError, ValueError):
    """An argument, or an environment variable, breaks its rule.

    The message names it, the rule, what arrived and the remedy.
    """


class DataError(FastMLPError, ValueError):
    """A data file is not what it should be. The message names the file, expected and found."""


class DataUnavailableError(FastMLPError, OSError):
    """A data set can neither be found on this machine nor downloaded. The message says why."""


class ModelError(FastMLPError, ValueError):
    """A model file is not a fastmlp model, or is damaged."""


class UnwritableError(FastMLPError, OSError):
    """A file cannot be written; what had its name before is as it was.

    The message names the file, why, and the remedy. errno, strerror and filename say it as the
    system's own errors do.
    """

    def __str__(self) -> str:
        return str(self.args[0])


class CheckpointError(FastMLPError, OSError):
    """A checkpoint cannot be written, or none can be resumed. The message says why."""


class DivergedError(FastMLPError, ArithmeticError):
    """A cost or parameter became NaN or infinite in training. The message says what is left."""


class NotReadyError(FastMLPError, RuntimeError):
    """A signal handler or a destructor interrupts the preparation of the kernels it needs."""

    def __init__(self) -> None:
        super().__init__(
            "the kernels are not ready, and this call interrupts their import, or Numba's "
            "compiler, as a signal handler may. Predict once before the handler is installed."
        )


class MissingExtraError(FastMLPError, ImportError):
    """A package is not installed that only some features need. The message names the extra."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs {package}, which is not installed. "
            f'Run: pip install "fastmlp[{extra}]"'
        )


def refuse(argument: str, rule: str, got: object, remedy: str) -> ArgumentError:
    """Return the error for an argument that broke its rule: what arrived, and the remedy."""
    return ArgumentError(f"{argument} {rule}; got {got}. {remedy}")
