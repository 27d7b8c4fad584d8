"""The commands train, evaluate, predict, and so on; `screen` prints all their output.

Slow modules are imported by the command that needs them, so that `fastmlp --help` is fast.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from fastmlp import __version__
from fastmlp.cli import answers, arguments, own_data, steps
from fastmlp.cli.bench_commands import bench
from fastmlp.cli.group import EXIT_STATUS, NOT_LEARNT, Commands
from fastmlp.cli.screen import Screen
from fastmlp.cli.together import check_together
from fastmlp.errors import UnwritableError, refuse
from fastmlp.system.interrupts import hold_interrupts, raise_terminated


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fastmlp")
def main() -> None:
    """Train multi-layer perceptrons on a CPU as fast as the machine can."""


@main.command()
@arguments.TRAIN
def train(**given: Any) -> None:
    """Train a network and save it.

    Without options it reaches 98 % on MNIST. If MNIST cannot be loaded, it uses generated digits,
    with a message. Ctrl-C saves the network as it is then, or with --early-stopping the best so
    far. A run that diverges saves the network of its last good epoch, and one whose output is
    closed meanwhile that of its last step. If the model cannot be saved in its file, it is saved
    in another one. The exit status is 1 after divergence, or if a file could not be written; with
    --strict it is 3 if the network has not learnt.
    """
    from fastmlp import report
    from fastmlp.network import Network
    from fastmlp.training import rehearse
    from fastmlp.training.rows import Columns

    check_together(given)
    for option in ("model", "checkpoint", "log"):
        if given[option]:
            steps.check_path(given[option], option, given["dataset"], given["data_folder"])
    screen = Screen(given["json"])
    started = Network.load(given["from"]) if given["from"] else None
    data = own_data.read_data(started, given, screen.data)
    given = own_data.complete(given, data)
    model = given["model"] or Path(f"{data.name or 'model'}.safetensors")
    path = steps.check_path(model)
    if given["log"] and given["log"].resolve() == path.resolve():
        raise refuse("log", "must not be the file of the model", str(path), "Name another file.")
    network = started or steps.build_network(data, given)
    screen.say(report.network_line(network))
    if started:
        steps.say_order(started, data, screen.say)
    seconds = steps.prepare_kernels(network.dtype, given["backend"], screen.say)
    if given["rehearse"]:
        with own_data.standardised_targets(network, data, screen.say) as own:
            found = rehearse(network, own, **steps.run_settings(given))
        screen.show(found._asdict())
        screen.say(*report.rehearsal_lines(found, given["epochs"]))
        return
    screen.row("")
    # a signal ends the training; those after it wait until the model is saved
    with screen.line() as draw, raise_terminated(), hold_interrupts():
        with own_data.standardised_targets(network, data, screen.say) as own:
            history, error = steps.train_network(network, own, given, draw, screen.row)
        try:
            kept = steps.save_file(path, network.save)  # before anything is printed: it can fail
        except UnwritableError:
            if error:
                screen.fail(str(error))
            raise
    status, test = EXIT_STATUS.get(history.stopped, 1 if error else 0), None
    for failure in filter(None, (error, kept.error)):
        screen.fail(str(failure))
    if kept.error:
        model = kept.path
    if status == 0:
        test = network.evaluate(data, backend=given["backend"])
    kept_settings = {name: given[name] for name in ("log", "monitor")}
    settings = {**steps.chosen_settings(given), **kept_settings}
    document = report.training_document(data, network, settings, history, test, seconds, model)
    if kept.error:
        document["model_error"] = str(kept.error)
    if test is not None:
        screen.row(Columns(history, data.name).test(test), style="bold green")
    screen.show(document)
    screen.say(*report.training_summary(history, test, seconds), f"model saved to {model}")
    for text in history.warnings:
        screen.fail(text, "Warning")
    if status or kept.error:
        click.get_current_context().exit(status or 1)
    if history.warnings and given["strict"]:
        click.get_current_context().exit(NOT_LEARNT)


@main.command()
@arguments.EVALUATE
def evaluate(**given: Any) -> None:
    """Test a saved MODEL by the metrics of its task, with the accuracy of each class.

    Without --dataset, the data set is the one with the name of the model's file, or MNIST; a model
    of one's own data needs it.
    """
    from fastmlp import report
    from fastmlp.network import Network

    screen, network = Screen(given["json"]), Network.load(given["model"])
    name = given["dataset"] or own_data.default_dataset(given["model"], network)
    columns = answers.columns_of(network, Path(name)) if given["dataset"] else None
    if columns is not None and network.columns is None:
        given["whole"] = bool(given["whole"])  # the training may have had a part of these rows
    reading = {**given, "dataset": name, "columns": columns}
    data = own_data.read_data(network, reading, screen.data)
    screen.say(report.network_line(network))
    steps.say_order(network, data, screen.say)
    steps.prepare_kernels(network.dtype, given["backend"], screen.say)
    network, images, labels = steps.in_numbers(network, data)
    result = network.evaluate(images, labels, given["backend"])
    classes = max(network.sizes[-1], 2)
    names = report.class_names(network.class_names or data.class_names, classes)
    matrix, tables = None, []
    if result.accuracy is not None:
        found = network.predict(images, given["backend"])
        matrix = report.confusion_matrix(found, labels, classes)
        tables = report.confusion_tables(matrix, names, screen.console.width)
    document = report.evaluation_document(data, network, result, matrix, names, given["model"])
    screen.show(document, *tables)
    screen.say(report.evaluation_line(result, matrix))


@main.command()
@arguments.PREDICT
def predict(**given: Any) -> None:
    """Predict the class or quantity of an IMAGE, or of all rows of a table, with a saved MODEL.

    IMAGE is an IDX, .npy, .npz, .png or .jpg file. For a model that was trained on a table or on
    folders of pictures, it is a table with the same columns, or a folder of pictures. An answer
    is called doubtful, with the reason, if another class has 7 % of its probability or more, or
    if the strokes of a picture are not those of a digit.
    """
    from fastmlp import report
    from fastmlp.datasets.picture import read_pictures
    from fastmlp.network import Network

    screen, network = Screen(given["json"]), Network.load(given["model"])
    if given["output"] and given["output"] != answers.PRINTED:
        steps.check_path(given["output"], "output", given["model"], given["image"])
    rows = answers.find_rows(network, given)
    if rows is not None:
        answers.answer(network, *rows, given, screen)
        return
    pictures = read_pictures(given["image"], network.sizes[0])
    screen.say(*pictures.notes)
    of_all = given["output"] or given["probabilities"]
    count = given["count"] or (len(pictures.images) if of_all else 1)
    if of_all or (network.task == "regression" and network.class_names is None):
        answers.answer(network, pictures.images, [], {**given, "count": count}, screen)
        return
    images, outputs = answers.chosen_outputs(network, pictures.images, count, given, screen)
    found = report.predictions(network, images, outputs, given["index"], pictures.doubts)
    document = report.prediction_document(found, pictures.notes, given["model"], given["image"])
    screen.show(document, *(report.prediction_view(one, screen.ascii_only) for one in found))


@main.command()
@arguments.FIND_LEARNING_RATE
def find_learning_rate(**given: Any) -> None:
    """Find a learning rate.

    The mode "range" trains once with a rate that rises in each step, and shows the costs. With
    "halving", a high rate is halved while that lowers the cost of a short training.
    """
    from fastmlp import report, training

    check_together(given)
    screen = Screen(given["json"])
    data = screen.data(given)
    given = own_data.complete(given, data)
    network = steps.build_network(data, given)
    screen.say(report.network_line(network))
    steps.prepare_kernels(network.dtype, given["backend"], screen.say)
    probes: list[tuple[float, float, float]] = []

    def show_probe(rate: float, before: float, after: float) -> None:
        probes.append((rate, before, after))
        if given["mode"] == "halving":
            screen.say(report.probe_line(rate, before, after))

    settings = {name: given[name] for name in steps.SEARCHED}
    filled = {"impute": given["impute"], "on_probe": show_probe}
    with own_data.standardised_targets(network, data, screen.say) as own:
        rate = training.find_learning_rate(network, own.train, **filled, **settings)
    curves = [report.rates_table(rate)] if given["mode"] == "range" else []
    screen.show(report.search_document(data, network, settings, probes, rate), *curves)
    how = "" if given["optimizer"] == "sgd" else "--optimizer sgd "  # whose rates were searched
    screen.say(
        f"learning rate {rate:g}; fastmlp train {how}--learning-rate {rate:g} starts with it"
    )


@main.command()
@arguments.WARMUP
def warmup(**given: Any) -> None:
    """Compile the kernels before the first training."""
    from fastmlp.system.cores import check_numba_settings

    check_numba_settings()
    screen = Screen(given["json"])
    seconds = steps.prepare_kernels(given["dtype"], "compiled", screen.say)
    if given["json"]:
        screen.show({"dtype": given["dtype"], "compile_seconds": seconds})
    screen.say(f"kernels for {given['dtype']} are ready: {seconds:.2f} s")


@main.command()
@arguments.INFO
def info(**given: Any) -> None:
    """Show the facts of this machine.

    These are processor, vectors, threads and their limits, versions, and the path of the cache;
    with --measure also the speed of arithmetic and memory, and the time of a barrier. For a
    network and its batch size, 784-128-10/64 for example, also how threads share a step.
    """
    from fastmlp import report
    from fastmlp.bench.machine import describe_machine
    from fastmlp.bench.plans import describe_plan

    machine, screen = describe_machine(), Screen(given["json"])
    document, tables = asdict(machine), [report.machine_table(machine)]
    if given["workloads"]:
        plans = [describe_plan(name, machine.threads) for name in given["workloads"]]
        document["plans"] = [asdict(plan) for plan in plans]
        tables += [report.plans_table(plans)]
    if given["measure"]:
        from fastmlp.bench.limits import measure_limits

        steps.prepare_kernels("float32", "compiled", screen.say)
        document["limits"] = measure_limits()
        tables.append(report.limits_table(document["limits"]))
    screen.show(document, *tables)


@main.command()
@arguments.VERIFY
def verify(**given: Any) -> None:
    """Check the kernels against the float64 reference.

    Runs thousands of random cases on this machine: sizes at the boundaries of tiles, activations,
    costs, densities, threads. Each failure is shown with the command that repeats it; the exit
    status is then 1.
    """
    from fastmlp import report
    from fastmlp.verify import verify as run

    screen = Screen(given["json"])
    for dtype in ("float32", "float64"):
        steps.prepare_kernels(dtype, "compiled", screen.say)
    with screen.line() as draw:
        outcome = run(
            given["cases"],
            given["seed"],
            given["kernels"],
            lambda done, of: draw(f"{done:,} of {of:,} cases"),
        )
    document = {**asdict(outcome), "passed": outcome.passed}
    screen.show(document, report.verification_table(outcome), report.rows_table(outcome))
    screen.say(*outcome.failures, style="bold red")
    screen.say(report.verification_line(outcome))
    if not outcome.passed:
        click.get_current_context().exit(1)


main.add_command(bench)
