"""Training: the epoch loop, schedules, early stopping, history and checkpoints."""

from fastmlp.training.gradient import gradients
from fastmlp.training.history import History
from fastmlp.training.loop import train
from fastmlp.training.rate import find_learning_rate
from fastmlp.training.run import Progress
from fastmlp.training.schedules import SCHEDULES
from fastmlp.training.watcher import EarlyStopping

__all__ = [
    "SCHEDULES",
    "EarlyStopping",
    "History",
    "Progress",
    "find_learning_rate",
    "gradients",
    "train",
]
