"""Every exception that fastmlp raises on purpose, and the form of their messages."""

from __future__ import annotations


class FastMLPError(Exception):
    """Base class of all errors below."""


class ArgumentError(FastMLPError, ValueError):
    """An argument or an environment variable has a value that is not allowed.

    The message contains its name, the rule, the value and the remedy.
    """


class DataError(FastMLPError, ValueError):
    """A data file has the wrong content. The message says what was expected and what was found."""


class DataUnavailableError(FastMLPError, OSError):
    """A data set is not on this machine and cannot be downloaded. The message says why."""


class ModelError(FastMLPError, ValueError):
    """A file is not a fastmlp model, or it is damaged."""


class UnwritableError(FastMLPError, OSError):
    """A file cannot be written. An older file of the same name is unchanged.

    The message contains the file, the reason and the remedy. errno, strerror and filename are
    those of the system's error.
    """

    def __str__(self) -> str:
        return str(self.args[0])


class CheckpointError(FastMLPError, OSError):
    """A checkpoint cannot be written, or none can be resumed. The message says why."""


class DivergedError(FastMLPError, ArithmeticError):
    """A cost or parameter became NaN or infinite in training.

    The message says which parameters the network has now.
    """


class NotReadyError(FastMLPError, RuntimeError):
    """A signal handler or a destructor uses kernels whose import or compilation it interrupted."""

    def __init__(self) -> None:
        super().__init__(
            "the kernels are not ready: this call interrupts their import or compilation, as a "
            "signal handler can. Predict once before you install the handler."
        )


class MissingExtraError(FastMLPError, ImportError):
    """An optional package is not installed. The message names the extra that installs it."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs {package}, which is not installed. "
            f'Run: pip install "fastmlp[{extra}]"'
        )


def refuse(argument: str, rule: str, got: object, remedy: str) -> ArgumentError:
    """Return the error for an argument: its rule, the value that was passed, and the remedy."""
    return ArgumentError(f"{argument} {rule}; got {got}. {remedy}")
