"""A training that can be killed at any moment and resumed from its last epoch."""

import contextlib
import functools
import logging
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

from firmware_export.common import digests
from firmware_export.common.errors import UserError, is_disk_full
from firmware_export.common.templating import one_line
from keras_satkd.config import PLATEAU_PATIENCE, TrainingConfig
from keras_satkd.distiller import Distiller
from keras_satkd.run import history
from keras_satkd.run.hardware import processor_bfloat16
from keras_satkd.run.remote_folder import RemoteFolder
from keras_satkd.settings.setting_types import MixedPrecision
from keras_satkd.training.epoch_log import EpochLog
from keras_satkd.training.method import PLAIN, Method

WARM_UP = 0.05
MONITORED = {"accuracy": "val_accuracy", "macro-f1": "val_macro_f1"}
"""Columns of `metrics.csv` whose highest value is the best epoch, by `TrainingConfig.select`."""


def fit(
    distiller: Distiller,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    config: TrainingConfig,
    *,
    phase: str,
    workdir: Path,
    method: Method = PLAIN,
    steps: tuple[int, int] | None = None,
    is_chief: bool = True,
    remote: RemoteFolder | None = None,
) -> None:
    """Train `distiller.student`, then load the weights with the best validation score into it.

    Every epoch appends a row to `workdir/metrics.csv`, and writes TensorBoard logs and a checkpoint. If they exist,
    training resumes after the last complete epoch, and ends with the weights that it would have without the stop.

    Args:
        distiller: not yet compiled.
        training: batches of the epoch `distiller.epoch`.
        validation: batches that select the best epoch.
        config: optimizer, schedule, the score of the best epoch, patience.
        phase: name of this training in the run, as in `metrics.csv`.
        workdir: the run's folder.
        method: its callbacks, and the first epoch that may be the best.
        steps: batches of training and of validation in an epoch, if they are distributed over devices.
        is_chief: whether this process writes the folder. If not, it trains with the one that does.
        remote: where the folder is brought after each epoch.

    Raises:
        UserError: the loss became NaN or infinite; the checkpoint and best weights of earlier epochs are kept. Or the
            best weights of earlier epochs are missing or damaged.
    """
    with distiller.distribute_strategy.scope():
        compile_for(config, distiller, len(training) if steps is None else steps[0])
    checkpoint = workdir / "checkpoints" / phase
    best = checkpoint / "best.weights.h5"
    log = EpochLog(
        workdir / history.FILE,
        phase,
        best,
        config.patience,
        MONITORED[config.select],
        method.first_epoch,
        is_chief=is_chief,
    )
    callbacks = [
        *method.callbacks,
        _StopOnNaN(phase, config),
        log,
        *([tf_keras.callbacks.TensorBoard(workdir / "tensorboard" / phase, profile_batch=0)] if is_chief else []),
        *([_ValidateAverage()] if distiller.average else []),
    ]
    if config.schedule == "plateau":
        callbacks.insert(1 + len(method.callbacks), _Plateau(history.of_phases(workdir / history.FILE, [phase])))
    remedy = f"restore a copy, or train {phase} again in a new --workdir"
    digests.check(best, remedy)
    if log.epochs() and not best.exists():
        raise UserError(f"{best} is missing: {remedy}")
    if not log.is_finished(config.epochs):
        # A run that was killed within its second epoch may have no checkpoint, but later there is always one.
        if not _has_checkpoint(checkpoint / "last" / "chief", is_needed=log.epochs() > 1):
            raise UserError(f"{checkpoint / 'last'} contains no readable checkpoint: {remedy}")
        try:
            with _checkpoints(checkpoint / "last", is_chief=is_chief) as folder:
                # Last, so that an epoch counts as finished only after all other callbacks have recorded it.
                callbacks.append(tf_keras.callbacks.BackupAndRestore(str(folder), delete_checkpoint=False))
                if remote is not None:
                    callbacks.append(tf_keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: remote.save_epoch()))
                distiller.fit(
                    training,
                    validation_data=validation,
                    epochs=config.epochs,
                    callbacks=callbacks,
                    verbose=_keras_verbosity() if is_chief else 0,
                    **({} if steps is None else {"steps_per_epoch": steps[0], "validation_steps": steps[1]}),
                )
        except Exception as error:
            # TensorFlow raises many kinds of errors for a damaged checkpoint. It is read before the first epoch begins.
            is_of_system = isinstance(error, UserError | OSError) or is_disk_full(error)
            if log.has_begun or not log.epochs() or is_of_system:
                raise
            reason = one_line(str(error))[:200]
            raise UserError(f"{checkpoint / 'last'} is damaged ({reason}): {remedy}") from error
    if best.exists():
        digests.check(best, remedy)
        distiller.student.load_weights(best)


@contextlib.contextmanager
def _checkpoints(folder: Path, *, is_chief: bool) -> Iterator[Path]:
    """The folder that Keras restores a training from and writes it to.

    Every process must save a checkpoint, because some variables are read on all devices at once. Those of a process
    that is not the chief go to a temporary folder, where it finds the chief's too.
    """
    if is_chief:
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "chief").symlink_to(folder.absolute() / "chief")
        yield Path(temporary)


def _has_checkpoint(folder: Path, *, is_needed: bool) -> bool:
    """Whether the list of checkpoints in `folder` can be read and, if one is needed, names one that exists."""
    try:
        return tf.train.latest_checkpoint(str(folder)) is not None or not is_needed
    except ValueError:
        return False


def compile_for(config: TrainingConfig, distiller: Distiller, steps: int) -> None:
    """Compile `distiller` with the optimizer and the schedule of `config`, for `steps` steps per epoch.

    If macro F1 selects the best epoch, it is among the metrics, as `macro_f1`.
    """
    metrics = []
    if config.select == "macro-f1":
        metrics.append(tf_keras.metrics.F1Score(average="macro", name="macro_f1"))
    distiller.compile(optimizer=_optimizer(config, max(1, steps) * config.epochs), metrics=metrics)


def _keras_verbosity() -> int:
    """0: nothing; 1: a progress bar, whose backspaces would clutter a log file; 2: one line per epoch."""
    if not logging.getLogger(__name__).isEnabledFor(logging.INFO):
        return 0
    return 1 if sys.stdout.isatty() else 2


@contextlib.contextmanager
def precision(mixed: MixedPrecision) -> Iterator[None]:
    """Networks built in this context compute in bfloat16 or float32; their weights are float32 in either case.

    Raises:
        UserError: `mixed` is `on`, but TensorFlow's kernels do not support bfloat16 on this machine.
    """
    before = tf_keras.mixed_precision.global_policy()
    check_precision(mixed)
    in_bfloat16 = mixed == "on" or (mixed == "auto" and computes_bfloat16())
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16" if in_bfloat16 else "float32")
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)


def check_precision(mixed: MixedPrecision) -> None:
    """Check that this machine supports a precision.

    Raises:
        UserError: see `precision`.
    """
    if mixed == "on" and not _kernels_take_bfloat16():
        raise UserError(
            "mixed_precision is 'on', but TensorFlow cannot compute in bfloat16 on this processor: use 'auto' or 'off'"
        )


def computes_bfloat16() -> bool:
    """Whether this machine has bfloat16 instructions; emulating them is slower than float32."""
    has_instructions = bool(tf.config.list_physical_devices("GPU") or processor_bfloat16())
    return has_instructions and _kernels_take_bfloat16()


@functools.cache
def _kernels_take_bfloat16() -> bool:
    """Whether a convolution runs in bfloat16; oneDNN's does not if it is limited to AVX2."""
    images, kernel = tf.zeros([1, 8, 8, 3], tf.bfloat16), tf.zeros([3, 3, 3, 4], tf.bfloat16)
    try:
        tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME"))()
    except tf.errors.OpError:
        return False
    return True


def _optimizer(config: TrainingConfig, steps: int) -> tf_keras.optimizers.Optimizer:
    rate: Any = config.learning_rate
    if config.schedule == "cosine":
        warm_up = math.ceil(WARM_UP * steps)
        rate = tf_keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm_up), warmup_target=config.learning_rate, warmup_steps=warm_up
        )
    optimizer = tf_keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    # Batch norm cancels the scale of kernels, so decaying them adds no bias; decaying norms and biases would.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


class _StopOnNaN(tf_keras.callbacks.Callback):  # type: ignore[misc]  # TensorFlow has no types
    """Stops the run within the epoch, before the broken weights replace a checkpoint."""

    def __init__(self, phase: str, config: TrainingConfig) -> None:
        super().__init__()
        self._phase, self._learning_rate = phase, config.learning_rate

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise UserError(
                f"{self._phase}: the loss is {loss} at step {batch + 1}; the checkpoint of the last complete "
                f"epoch is kept: try a learning rate below {self._learning_rate:g} in a new --workdir"
            )


class _ValidateAverage(tf_keras.callbacks.Callback):  # type: ignore[misc]  # TensorFlow has no types
    """Puts the average of the student's weights in their place for validation, and until its scores are noted.

    It stands after the log that keeps the best weights and before the checkpoint, which holds both.
    """

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self.model.exchange_average()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.model.exchange_average()


class _Plateau(tf_keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]  # TensorFlow has no types
    """Lowers the learning rate with PyTorch's defaults, because the paper gives only the name of the class.

    Args:
        rows: rows of this phase in `metrics.csv`; a resumed training counts their epochs too.
    """

    best: float
    wait: int

    def __init__(self, rows: Sequence[dict[str, str]]) -> None:
        # PyTorch lowers the rate one epoch after its patience, Keras exactly at it.
        super().__init__("val_loss", factor=0.1, patience=PLATEAU_PATIENCE + 1)
        self._rows = rows

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras. The first call restores the state from the epochs before `epoch`."""
        done, self._rows = [row for row in self._rows if int(row["epoch"]) <= epoch], ()
        for row in done:
            loss = float(row["val_loss"])
            is_better = bool(self.monitor_op(loss, self.best))
            self.best = loss if is_better else self.best
            # The learning rate itself is in the checkpoint.
            self.wait = 0 if is_better else (self.wait + 1) % self.patience
