"""The kinds of values that options take: names of tables, layer sizes, pairs."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib import import_module
from typing import Any

import click


class Row(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A name from one of the package's tables, which is imported only when it is needed."""

    name = "name"

    def __init__(self, module: str, table: str) -> None:
        self.module, self.table = module, table

    def choice(self) -> click.Choice[str]:
        """Return the names of the table."""
        return click.Choice(list(getattr(import_module(self.module), self.table)))

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the value of a text; click prints an error otherwise."""
        return self.choice().convert(value, param, ctx)

    def get_metavar(self, param: Any, ctx: Any = None) -> str:
        """Return the names for the help."""
        return f"[{'|'.join(self.choice().choices)}]"


class RowWithSettings(Row):
    """A name, with settings behind a colon, which the library checks."""

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the value of a text; click prints an error otherwise."""
        name, colon, setting = value.partition(":")
        return f"{super().convert(name, param, ctx)}{colon}{setting}"


class Cost(RowWithSettings):
    """A cost of the table, with a setting if it has one."""

    def get_metavar(self, param: Any, ctx: Any = None) -> str:
        """Return the names for the help."""
        rows = getattr(import_module(self.module), self.table).values()
        names = (
            f"{row.name}[:{row.setting_name}]" * bool(row.setting_name) or row.name for row in rows
        )
        return f"[{'|'.join(names)}]"


class Seconds(click.FloatRange):
    """A number of seconds between two limits."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the value of a text; click prints an error otherwise."""
        found = float(super().convert(value, param, ctx))
        if found != found:
            self.fail(f"{value!r} is no number.", param, ctx)
        return found


class Sizes(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Numbers of neurons: "784,128,10" or "784-128-10"; an empty text means no layer."""

    name = "sizes"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """Return the value of a text; click prints an error otherwise."""
        if isinstance(value, tuple):
            return value
        parts = re.split("[,-]", value) if value.strip() else []
        if not all(re.fullmatch(r" *[1-9][0-9]{0,8} *", part) for part in parts):
            self.fail(f"{value!r} is not a list of layer sizes such as 784,128,10.", param, ctx)
        return tuple(map(int, parts))


class Numbers(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A number, or one for each layer: "0.2,0.5"."""

    name = "NUMBERS"

    def convert(self, value: Any, param: Any, ctx: Any) -> float | tuple[float, ...]:
        """Return the value of a text; click prints an error otherwise."""
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        with suppress(ValueError):
            numbers = tuple(map(float, value.split(",")))
            return numbers[0] if len(numbers) == 1 else numbers
        self.fail(f"{value!r} is not a list of numbers such as 0.2,0.5.", param, ctx)


class Pair(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A name and a number: "beta_1=0.8"."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, float]:
        """Return the value of a text; click prints an error otherwise."""
        if isinstance(value, tuple):
            return value
        name, _, number = value.partition("=")
        with suppress(ValueError):
            return name.strip(), float(number)
        self.fail(f"{value!r} is not a name and a number such as beta_1=0.8.", param, ctx)
