"""The kinds of values that options take: names of tables, paths, sizes, settings."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
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


class File(click.Path):
    """A path as `Path`, with ~ expanded: a shell does not expand it in --model=~/mine."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value of a text; click prints an error otherwise."""
        path: Any = super().convert(value, param, ctx)
        return Path(os.path.expanduser(path))


class Augmented(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """The settings of an Augmentation: "shift=2,rotation=10,elastic=34:4"."""

    name = "NAME=VALUE,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value of a text; click prints an error otherwise."""
        from fastmlp.errors import ArgumentError
        from fastmlp.functions.augmentation import Augmentation

        if isinstance(value, Augmentation):
            return value
        try:
            pairs = (part.partition("=")[::2] for part in value.split(","))
            return Augmentation(**{name.strip(): _setting(text) for name, text in pairs})
        except ArgumentError as error:
            self.fail(str(error), param, ctx)
        except (TypeError, ValueError):
            names = ", ".join(Augmentation.__dataclass_fields__)
            rule = f"{value!r} is not a list of settings such as shift=2,rotation=10,elastic=34:4"
            self.fail(f"{rule}; their names are {names}.", param, ctx)


def _setting(text: str) -> Any:
    """Return the number in a text such as 2 or 0.5; a tuple of those with : between them."""
    numbers = [float(part) for part in text.split(":")]
    plain = [int(n) if n.is_integer() else n for n in numbers]
    return plain[0] if len(plain) == 1 else tuple(plain)


class Parsed(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """What a function makes of a text; it raises ValueError for a wrong one.

    what : the values in words, for the error
    """

    def __init__(self, name: str, parse: Callable[[str], Any], what: str) -> None:
        self.name, self.parse, self.what = name, parse, what

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value of a text; click prints an error otherwise."""
        if not isinstance(value, str):  # a default
            return value
        with suppress(ValueError):
            return self.parse(value)
        self.fail(f"{value!r} is not {self.what}.", param, ctx)


def _sizes(text: str) -> tuple[int, ...]:
    parts = re.split("[,-]", text) if text.strip() else []
    if not all(re.fullmatch(r" *[1-9][0-9]{0,8} *", part) for part in parts):
        raise ValueError
    return tuple(map(int, parts))


def _numbers(text: str) -> float | tuple[float, ...]:
    numbers = tuple(map(float, text.split(",")))
    return numbers[0] if len(numbers) == 1 else numbers


def _pair(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    return name.strip(), float(number)


def _width_and_height(text: str) -> tuple[int, int]:
    sides = re.fullmatch(r"([1-9]\d{0,3})(?:x([1-9]\d{0,3}))?", text)
    if sides is None:
        raise ValueError
    return int(sides[1]), int(sides[2] or sides[1])


# "784,128,10" or "784-128-10"; an empty text means no layer
SIZES = Parsed("sizes", _sizes, "a list of layer sizes such as 784,128,10")
# One number, or one for each layer
DATASET = Parsed("TEXT", os.path.expanduser, "a name or a path")
NUMBERS = Parsed("NUMBERS", _numbers, "a list of numbers such as 0.2,0.5")
PAIR = Parsed("NAME=VALUE", _pair, "a name and a number such as beta_1=0.8")
PICTURE = Parsed("WIDTHxHEIGHT", _width_and_height, "a size such as 28 or 32x24")
