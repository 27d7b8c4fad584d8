"""The JSON documents of the commands, in plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastmlp.report.confusion import class_accuracies
from fastmlp.system import plain

if TYPE_CHECKING:
    from pathlib import Path

    from fastmlp.datasets import Dataset
    from fastmlp.network import Evaluation, Network
    from fastmlp.report.confusion import Counts
    from fastmlp.report.prediction import Prediction
    from fastmlp.training import History


def to_json(document: Mapping[str, Any]) -> str:
    """Return a document as standard JSON: NaN and infinity become null."""
    return plain.to_json(document, indent=2)


def network_document(network: Network) -> dict[str, Any]:
    """Return the description of a network, without its parameters."""
    return {**network.architecture, "parameters": network.parameter_count}


def training_document(
    data: Dataset,
    network: Network,
    settings: Mapping[str, Any],
    history: History,
    test: Evaluation | None,
    compile_seconds: float,
    model: Path,
) -> dict[str, Any]:
    """Return a run and its test; the test is null if the run did not end normally."""
    return {
        "dataset": data.name,
        "source": data.source,
        "network": network_document(network),
        "settings": dict(settings),
        "history": asdict(history),
        "test_accuracy": None if test is None else test.accuracy,
        "test_cost": None if test is None else test.cost,
        "test_metrics": None if test is None else test.metrics,
        "train_seconds": history.train_seconds,
        "compile_seconds": compile_seconds,
        "model": str(model),
    }


def evaluation_document(
    data: Dataset,
    network: Network,
    result: Evaluation,
    matrix: Counts | None,
    names: Sequence[str],
    model: Path,
) -> dict[str, Any]:
    """Return the test of a saved model; the rows of the confusion matrix are labels.

    matrix : None if the targets are no classes
    """
    of_classes = {}
    if matrix is not None:
        of_classes = {
            "classes": names,
            "class_accuracy": class_accuracies(matrix).tolist(),
            "confusion_matrix": matrix.tolist(),
        }
    return {
        "dataset": data.name,
        "source": data.source,
        "model": str(model),
        "network": network_document(network),
        "images": len(data.test),
        "accuracy": result.accuracy,
        "cost": result.cost,
        "metrics": result.metrics,
        **of_classes,
    }


def prediction_document(
    predictions: Sequence[Prediction], notes: Sequence[str], model: Path, image: Path
) -> dict[str, Any]:
    """Return the predictions for some images of a file, and notes on their conversion."""
    return {
        "model": str(model),
        "image": str(image),
        "notes": notes,
        "predictions": [
            {
                "index": prediction.index,
                "answer": prediction.answer,
                "class": prediction.names[prediction.answer],
                **_labels_of(prediction),
                "doubts": prediction.doubts,
                "probabilities" if prediction.probable else "outputs": prediction.outputs,
            }
            for prediction in predictions
        ],
    }


def _labels_of(prediction: Prediction) -> dict[str, Any]:
    """Return the names of all labels, where there can be several."""
    if prediction.labels is None:
        return {}
    return {"labels": [prediction.names[label] for label in prediction.labels]}


def search_document(
    data: Dataset,
    network: Network,
    settings: Mapping[str, Any],
    probes: Sequence[tuple[float, float, float]],
    rate: float,
) -> dict[str, Any]:
    """Return a search for a learning rate, probe by probe."""
    keys = ("rate", "cost_before", "cost_after")
    return {
        "dataset": data.name,
        "source": data.source,
        "network": network_document(network),
        "settings": dict(settings),
        "probes": [dict(zip(keys, probe, strict=True)) for probe in probes],
        "learning_rate": rate,
    }
