"""Early stopping and target accuracy: when a run ends, and its best parameters."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.training.callbacks import EarlyStopping
from fastmlp.training.run import Run


class Watcher:
    """Decides after each epoch whether the run ends, and stores the best parameters."""

    def __init__(
        self, run: Run, early_stopping: EarlyStopping | None, target_accuracy: float | None
    ) -> None:
        self.run, self.early_stopping, self.target = run, early_stopping, target_accuracy
        self.best: list[Array] = []
        self.best_epoch, self.lowest = 0, np.inf

    def ends(self, epoch: int) -> bool:
        """Return whether the run ends with this epoch, counted from 0; sets `history.stopped`."""
        history = self.run.history
        cost, accuracy = history.validation_cost[-1], history.validation_accuracy[-1]
        if self.early_stopping and cost is not None and cost < self.lowest:
            network = self.run.network
            self.lowest, self.best_epoch = cost, epoch
            self.best = [array.copy() for array in (*network.weights, *network.biases)]
        reached = history.train_accuracy[-1] if accuracy is None else accuracy
        if self.target is not None and reached >= self.target:
            history.stopped = f"target accuracy {self.target:g} reached"
            return True
        if self.early_stopping and epoch - self.best_epoch >= self.early_stopping.patience:
            history.stopped = f"validation cost has not fallen since epoch {self.best_epoch + 1}"
            return True
        return False

    def restore(self) -> None:
        """Restore the best parameters, if early stopping has that setting."""
        if self.early_stopping and self.early_stopping.restore_best and self.best:
            self.run.parameters.put(self.best)
            self.run.history.restored_epoch = self.best_epoch + 1
