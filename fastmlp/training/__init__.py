"""Training: the epoch loop, schedules, callbacks, history and checkpoints."""

from fastmlp.errors import checked_call
from fastmlp.training import callbacks, loop, schedules
from fastmlp.training.callbacks import EarlyStopping
from fastmlp.training.gradient import gradients
from fastmlp.training.history import History
from fastmlp.training.outcome import warned
from fastmlp.training.progress import Progress
from fastmlp.training.rate import FoundRate, find_learning_rate
from fastmlp.training.recipes import RECIPES, Recipe
from fastmlp.training.rehearsal import Rehearsal, rehearse
from fastmlp.training.schedules import SCHEDULES

# With a check of the call, and warnings of a bad result
train = checked_call(warned(loop.train))
train.__module__ = __name__

__all__ = [
    "RECIPES",
    "SCHEDULES",
    "EarlyStopping",
    "FoundRate",
    "History",
    "Progress",
    "Recipe",
    "Rehearsal",
    "callbacks",
    "find_learning_rate",
    "gradients",
    "rehearse",
    "schedules",
    "train",
]
