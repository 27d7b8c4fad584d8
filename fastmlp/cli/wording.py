"""The words of the command line: errors and warnings name options where Python has arguments."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

import click

from fastmlp.errors import ArgumentError, FastMLPError, similar

# Arguments of Python whose option has another name
OTHERS = {
    "hidden": "activation",
    "name": "dataset",
    "patience": "early_stopping",
    "folder": "data_folder",
    "implementation": "against",
    "kernel": "kernels",
}
# What errors of other commands advise for a training
OF_TRAINING = {"impute": "--impute"}
# Arguments whose errors name settings, not other arguments
OF_SETTINGS = ("schedule", "optimizer_settings")
# Arguments that no option has, but the data of --dataset, at the beginning of an error
OF_DATA = {"split images": "The inputs of --dataset", "split labels": "The labels of --dataset"}


class Summarised(click.Command):
    """A command whose summary, in the help of its group, is its first sentence, never cut."""

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the summary."""
        return super().get_short_help_str(sys.maxsize)


class Command(Summarised):
    """A command whose errors name its options, and the option that an unknown one resembles.

    may_be_empty : the options for which an empty text means something
    """

    may_be_empty: tuple[str, ...] = ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; an unknown option is compared with the names of other libraries."""
        try:
            left = super().parse_args(ctx, args)
            for param in self.params:  # as of a variable of the shell that is not set
                is_empty = bool(param.name) and ctx.params.get(str(param.name)) == ""
                if is_empty and param.name not in self.may_be_empty:
                    raise click.BadParameter("it is an empty text.", ctx, param)
            return left
        except click.NoSuchOption as error:
            names = options_of(self.params)
            near = similar(error.option_name.lstrip("-").replace("-", "_"), names)
            remedy = f" Did you mean {names[near]}?" if near else ""
            said = f"No such option: {error.option_name}.{remedy}"
            raise click.NoSuchOption(error.option_name, said, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FastMLPError as error:
            if error.args and isinstance(error.args[0], str):
                name = error.argument if isinstance(error, ArgumentError) else ""
                error.args = (as_options(error.args[0], self.params, name), *error.args[1:])
            raise


def options_of(params: Iterable[click.Parameter]) -> dict[str, str]:
    """Return the options of a command, "--learning-rate", by their names in Python."""
    found = {p.name: p.opts[0] for p in params if isinstance(p, click.Option) and p.name}
    return found | {other: found[own] for other, own in OTHERS.items() if own in found}


def as_options(text: str, params: Iterable[click.Parameter], argument: str = "") -> str:
    """Return a text in which arguments of Python are options of the command.

    "Pass learning_rate=0.1" becomes "Pass --learning-rate 0.1". A single word such as seed is
    replaced only in front of = or >=, and at the beginning if it is `argument`, which the text is
    about. Those of an object, as in EarlyStopping(patience=2), stay.
    """
    if argument in OF_DATA:
        text = OF_DATA[argument] + text.removeprefix(argument)
    names = OF_TRAINING | options_of(params)
    if argument in OF_SETTINGS and argument in names:
        return names[argument] + text.removeprefix(argument)
    known = "|".join(sorted(names, key=len, reverse=True))
    value = r"(?P<end>=True\b|=(?=\.(?: |$)))|(?P<space>=| (?=>=))"

    def option(found: re.Match[str]) -> str:
        if found["object"]:
            return found[0]
        is_subject = found["name"] == argument and found.start() == 0
        if not (found["end"] or found["space"] or is_subject or "_" in found["name"]):
            return found[0]
        return names[found["name"]] + " " * bool(found["space"])

    name = rf"(?<![-.'\w])(?P<name>{known})\b(?:{value})?"
    text = re.sub(rf"(?P<object>\b[A-Z]\w*\([^()]*\))|{name}", option, text)
    text = re.sub(r"(--[\w-]+) (['\"])([\w:.]+)\2", r"\1 \3", text)
    return re.sub(r"\bfind_learning_rate\b", "fastmlp find-learning-rate", text)
