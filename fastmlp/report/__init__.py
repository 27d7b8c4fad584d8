"""Convert results to text, tables, charts and pages: pure functions that print nothing."""

from fastmlp.report.answers import answer_rows, answers_csv, answers_document
from fastmlp.report.barriers import barriers_tables
from fastmlp.report.bench import (
    accuracy_line,
    accuracy_table,
    bench_notes,
    differences_table,
    epochs_line,
    epochs_tables,
    kernels_tables,
    limits_table,
    pass_line,
)
from fastmlp.report.confusion import (
    class_accuracies,
    confusion_matrix,
    confusion_tables,
    evaluation_line,
)
from fastmlp.report.digit import digit_blocks
from fastmlp.report.documents import (
    evaluation_document,
    prediction_document,
    search_document,
    to_json,
    training_document,
)
from fastmlp.report.fitting import fitted
from fastmlp.report.machine import machine_table, plans_table
from fastmlp.report.page import page
from fastmlp.report.prediction import Prediction, prediction_view, predictions
from fastmlp.report.scaling import scaling_line, scaling_table
from fastmlp.report.text import class_names, duration, reason
from fastmlp.report.training import (
    dataset_lines,
    download_line,
    network_line,
    probe_line,
    progress_line,
    rates_table,
    rehearsal_lines,
    training_summary,
)
from fastmlp.report.verification import rows_table, verification_line, verification_table
from fastmlp.training.rows import percent

__all__ = [
    "Prediction",
    "accuracy_line",
    "accuracy_table",
    "answer_rows",
    "answers_csv",
    "answers_document",
    "barriers_tables",
    "bench_notes",
    "class_accuracies",
    "class_names",
    "confusion_matrix",
    "confusion_tables",
    "dataset_lines",
    "differences_table",
    "digit_blocks",
    "download_line",
    "duration",
    "epochs_line",
    "epochs_tables",
    "evaluation_document",
    "evaluation_line",
    "fitted",
    "kernels_tables",
    "limits_table",
    "machine_table",
    "plans_table",
    "network_line",
    "page",
    "pass_line",
    "percent",
    "prediction_document",
    "prediction_view",
    "predictions",
    "probe_line",
    "progress_line",
    "rates_table",
    "rehearsal_lines",
    "reason",
    "scaling_line",
    "scaling_table",
    "search_document",
    "to_json",
    "training_document",
    "training_summary",
    "rows_table",
    "verification_line",
    "verification_table",
]
