"""Which options can be used together."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource

# The options that describe a new network
OF_NETWORK = ("sizes", "hidden_layers", "activation", "output", "cost", "dtype")


def check_together(given: Mapping[str, Any]) -> None:
    """Raise UsageError for options that cannot be used together."""
    source = click.get_current_context().get_parameter_source
    if given.get("from"):
        for name in OF_NETWORK:
            if source(name) is ParameterSource.COMMANDLINE:
                option = name.replace("_", "-")
                raise click.UsageError(f"--from names a whole network: leave out --{option}")
    # those of a recipe are defaults
    if given["sizes"] is not None and source("hidden_layers") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--sizes names the hidden layers too: leave out --hidden-layers")
    if given.get("resume") and given["checkpoint"] is None:
        raise click.UsageError("--resume needs --checkpoint, the folder to continue from")
    if given.get("log"):
        logs = import_module("fastmlp.training.callbacks").LOGS
        if given["log"].suffix not in logs:
            raise click.UsageError(f"--log needs a file that ends with {' or '.join(logs)}")
    if given.get("early_stopping") and given["validation"] is None:
        raise click.UsageError("--early-stopping needs --validation, such as --validation 0.1")
    if given.get("monitor", "cost") != "cost" and given["early_stopping"] is None:
        raise click.UsageError("--monitor needs --early-stopping, such as --early-stopping 5")
