"""Early stopping and target: when a run ends, and its best parameters."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.functions import METRICS, metrics_of
from fastmlp.training.callbacks import EarlyStopping
from fastmlp.training.run import Run


class Watcher:
    """Decides after each epoch whether the run ends, and stores the best parameters.

    Those that reach the target are the best, whatever early stopping watches.
    """

    def __init__(
        self, run: Run, early_stopping: EarlyStopping | None, target: float | None
    ) -> None:
        self.run, self.early_stopping, self.target = run, early_stopping, target
        self.best: list[Array] = []
        self.best_epoch, self.lowest = 0, np.inf

    def ends(self, epoch: int) -> bool:
        """Return whether the run ends with this epoch, counted from 0; sets `history.stopped`."""
        history, rule = self.run.history, self.early_stopping
        loss = history.loss(rule.monitor) if rule else None
        if loss is not None and loss < self.lowest:
            self.lowest = loss
            self._keep(epoch)
        main = metrics_of(history.task)[0]
        judged = history.validated(main.name)[-1]
        reached = history.train_accuracy[-1] if judged is None else judged
        if self.target is not None and reached is not None and reached >= self.target:
            history.stopped = f"target {main.title} {self.target:g} reached"
            if rule:
                self._keep(epoch)
            return True
        if rule and epoch - self.best_epoch >= rule.patience:
            rises = rule.monitor in METRICS and METRICS[rule.monitor].rises
            what = METRICS[rule.monitor].title if rule.monitor in METRICS else rule.monitor
            moved = "risen" if rises else "fallen"
            history.stopped = f"validation {what} has not {moved} since epoch {self.best_epoch + 1}"
            return True
        return False

    def _keep(self, epoch: int) -> None:
        """Store the parameters of an epoch as the best."""
        network, self.best_epoch = self.run.network, epoch
        self.best = [array.copy() for array in (*network.weights, *network.biases)]

    def restore(self) -> None:
        """Restore the best parameters, if early stopping has that setting."""
        if self.early_stopping and self.early_stopping.restore_best and self.best:
            self.run.parameters.put(self.best)
            self.run.history.restored_epoch = self.best_epoch + 1
