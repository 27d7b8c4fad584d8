"""Write the README's table of results from two saved runs of `fastmlp bench`.

python benchmarks/readme.py epochs.json accuracy.json
"""

from __future__ import annotations

from pathlib import Path

import click

from fastmlp.bench.summary import summarise, to_target
from fastmlp.cli.bench_output import read_run
from fastmlp.cli.group import errors_in_one_line
from fastmlp.report.readme import results_table, with_results

README = Path(__file__).parents[1] / "README.md"
SAVED = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(help=__doc__)
@click.argument("epochs", type=SAVED)
@click.argument("accuracy", type=SAVED)
@errors_in_one_line()
def main(epochs: Path, accuracy: Path) -> None:
    """Read the runs, and replace the table between the markers."""
    run, target = read_run(epochs, "epochs"), read_run(accuracy, "accuracy")
    peak = run["limits"]["peak_flops"]["all"]
    rows = [(each["name"], summarise(each, peak)) for each in run["workloads"]]
    table = results_table(run, rows, target, to_target(target))
    README.write_text(with_results(README.read_text(encoding="utf-8"), table), encoding="utf-8")
    click.echo(f"{README.name}: the table of results is new")


if __name__ == "__main__":
    main()
