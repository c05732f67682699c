"""The epochs of a training in `metrics.csv`, and its best weights."""

import tempfile
import time
from pathlib import Path

import tf_keras

from firmware_export.common import digests
from keras_satkd.run import history


class EpochLog(tf_keras.callbacks.Callback):  # type: ignore[misc]  # TensorFlow has no types
    """Writes `metrics.csv` of a run, one row per epoch; saves the best weights and stops when patience runs out.

    All its state is in the file, so a resumed training stops at the same epoch as an uninterrupted one. Epochs before
    `first` are never the best, nor does patience run out in them.
    """

    def __init__(
        self,
        path: Path,
        phase: str,
        best: Path,
        patience: int | None,
        monitored: str,
        first: int = 0,
        *,
        is_chief: bool = True,
    ) -> None:
        super().__init__()
        self._first = first
        self._is_chief = is_chief
        self._path, self._phase, self._best, self._patience = path, phase, best, patience
        self._monitored = monitored
        self._rows = history.read(path)
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras with the epoch's metrics."""
        # If the run was killed between this row and the checkpoint, the epoch is repeated and its row replaced.
        kept = [row for row in self._rows if row["phase"] != self._phase or int(row["epoch"]) <= epoch]
        rate = self.model.optimizer.learning_rate
        row = {"phase": self._phase, "epoch": epoch + 1, "seconds": round(time.monotonic() - self._began, 2)}
        row |= {
            "learning_rate": float(tf_keras.backend.get_value(rate)),
            **{name: float(value) for name, value in (logs or {}).items()},
        }
        self._rows = [*kept, {name: str(value) for name, value in row.items()}]
        if self._epochs_since_best() == 0:
            self._keep_best()
        if self._is_chief:
            history.write(self._path, self._rows)
        self.model.stop_training = self._out_of_patience()

    def _keep_best(self) -> None:
        save = self.model.student.save_weights
        if self._is_chief:
            digests.write_with(self._best, save)
            return
        # Statistics of batch norms are read on all devices at once, so every process must save them.
        with tempfile.TemporaryDirectory() as folder:
            save(Path(folder) / self._best.name)

    def is_finished(self, epochs: int) -> bool:
        """Whether all epochs are done or patience has run out."""
        return self.epochs() >= epochs or self._out_of_patience()

    @property
    def has_begun(self) -> bool:
        """Whether an epoch has begun in this process."""
        return self._began > 0

    def epochs(self) -> int:
        """Number of epochs that are done."""
        return len(self._scores())

    def _scores(self) -> list[float]:
        scores = [float(row[self._monitored]) for row in self._rows if row["phase"] == self._phase]
        # Each of the early epochs is better than the one before and worse than any later one; scores are in [0, 1].
        return [score if at >= self._first else float(at - self._first) for at, score in enumerate(scores)]

    def _epochs_since_best(self) -> int:
        scores = self._scores()
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0

    def _out_of_patience(self) -> bool:
        return self._patience is not None and self._epochs_since_best() >= self._patience
