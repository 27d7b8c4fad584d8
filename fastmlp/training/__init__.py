"""Training: the epoch loop, schedules, callbacks, history and checkpoints."""

from fastmlp.training import callbacks, schedules
from fastmlp.training.callbacks import EarlyStopping
from fastmlp.training.gradient import gradients
from fastmlp.training.history import History
from fastmlp.training.loop import train
from fastmlp.training.progress import Progress
from fastmlp.training.rate import FoundRate, find_learning_rate
from fastmlp.training.schedules import SCHEDULES

__all__ = [
    "SCHEDULES",
    "EarlyStopping",
    "FoundRate",
    "History",
    "Progress",
    "callbacks",
    "find_learning_rate",
    "gradients",
    "schedules",
    "train",
]
