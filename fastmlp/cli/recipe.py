"""The option --recipe, which sets the defaults of other options."""

from __future__ import annotations

import click

from fastmlp.cli.kinds import Row


def _set_defaults(ctx: click.Context, _: click.Parameter, name: str | None) -> str | None:
    """Make the settings of a recipe the defaults: options that are given come before them."""
    if name is not None:
        from fastmlp.training.recipes import RECIPES

        recipe = RECIPES[name]
        ctx.default_map = {"hidden_layers": recipe.hidden, **recipe.settings}
    return name


RECIPE = (
    click.option(
        "--recipe",
        type=Row("fastmlp.training.recipes", "RECIPES"),
        is_eager=True,
        callback=_set_defaults,
        expose_value=False,
        help="Settings that reach an accuracy on MNIST; other options change them.",
    ),
)
