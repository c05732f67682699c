"""The devices that train one network together: all GPUs of this machine, or several processes.

Each device takes a part of every batch. The step is that of the whole batch: gradients, metrics and the statistics of
batch norms are summed over all parts.
"""

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import tensorflow as tf
import tf_keras

from firmware_export.common.errors import UserError
from firmware_export.common.templating import one_line
from keras_satkd.run.meeting import Meeting
from keras_satkd.training.parts import Parts

logger = logging.getLogger(__name__)

Built = TypeVar("Built")

_BATCH_NORM = tf_keras.layers.BatchNormalization


@dataclass(frozen=True)
class Parallel:
    """The devices of a training.

    Attributes:
        strategy: TensorFlow's; None: one device, as without any strategy.
        is_chief: whether this process writes the run's folder.
    """

    strategy: tf.distribute.Strategy | None = None
    is_chief: bool = True

    @property
    def replicas(self) -> int:
        """Number of devices in all processes."""
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Models and optimizers made in this context are on all devices."""
        return contextlib.nullcontext() if self.strategy is None else self.strategy.scope()

    def trained(
        self,
        build: Callable[[], Built],
        train: Callable[[Built], None],
        network_of: Callable[[Built], tf_keras.Model] = lambda built: built,
    ) -> Built:
        """A network that was trained on all devices, as one that is on none of them in particular.

        Args:
            build: makes the network, each time the same, or what has it.
            train: trains it.
            network_of: the network of what was built.
        """
        if self.strategy is None:
            built = build()
            train(built)
            return built
        with self.strategy.scope(), _aggregated():
            built = build()
        synchronize(network_of(built))
        train(built)
        plain = build()
        network_of(plain).set_weights(network_of(built).get_weights())
        return plain

    def batches(self, make: Callable[[Parts | None], tf.data.Dataset]) -> Any:
        """The batches that this process reads.

        Args:
            make: the batches of one epoch; or, of parts, those parts of every batch.
        """
        if self.strategy is None:
            return make(None)

        def of_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
            devices = context.num_replicas_in_sync // context.num_input_pipelines
            return make(Parts(context.input_pipeline_id * devices, devices, context.num_replicas_in_sync))

        return self.strategy.distribute_datasets_from_function(of_process)


ONE = Parallel()


def begin(strategy: str, meeting: Meeting | None) -> Parallel:
    """The devices that a run trains on. It is called before TensorFlow computes anything.

    Args:
        strategy: as `Config.strategy`.
        meeting: the processes that train together; None if this is the only one.

    Raises:
        UserError: the port of this process cannot be opened.
    """
    if meeting is not None:
        return Parallel(_connected(meeting), meeting.is_chief)
    devices = len(tf.config.list_physical_devices("GPU"))
    if strategy == "mirrored" and devices < 2:
        logger.warning("--strategy mirrored: this machine has one device, so it is the same as --strategy one")
    if strategy not in ("auto", "mirrored") or devices < 2:
        return ONE
    return Parallel(tf.distribute.MirroredStrategy())


def _connected(meeting: Meeting) -> tf.distribute.Strategy:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        address = meeting.cluster.addresses[meeting.cluster.position]
        raise UserError(
            f"the processes in TF_CONFIG cannot be connected ({one_line(str(error))[:200]}): check that {address} is "
            "an address of this machine, that its port is free, and that the others can reach it"
        ) from error
    # TensorFlow has taken SIGTERM for its notice of preemption, which nobody here reads.
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
    return strategy


@contextlib.contextmanager
def _aggregated() -> Iterator[None]:
    """Ranges of fake quantization made in this context can be assigned on all devices, which compute the same."""

    def create(following: Callable[..., Any], **settings: Any) -> Any:
        if not settings.get("trainable", True) and settings.get("aggregation") in (None, tf.VariableAggregation.NONE):
            settings["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return following(**settings)

    with tf.variable_creator_scope(create):
        yield


def synchronize(network: tf_keras.Model) -> None:
    """Let the batch norms of a network take the statistics of the whole batch, not of a device's part.

    The layers of Keras that do so estimate the variance without Bessel's correction, so they would not train the
    network that one device trains.
    """
    for layer in _batch_norms(network):
        layer.call = _whole_batch(layer, layer.call)


def check_batch_norms(network: tf_keras.Model) -> None:
    """Check that `synchronize` knows all batch norms of a network.

    Raises:
        UserError: one is of another kind.
    """
    for layer in _batch_norms(network):
        if type(layer) is not _BATCH_NORM or layer.renorm or layer.virtual_batch_size:
            raise UserError(
                f"{network.name}: layer {layer.name!r} is no plain BatchNormalization, so its batches cannot be "
                "divided among devices: use one, or --strategy one"
            )


def _batch_norms(network: tf_keras.Model) -> list[tf_keras.layers.BatchNormalization]:
    return [layer for layer in network._flatten_layers() if isinstance(layer, _BATCH_NORM)]


def _whole_batch(layer: tf_keras.layers.BatchNormalization, call: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    def call_on_whole_batch(inputs: tf.Tensor, mask: Any = None, training: Any = None) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        if not layer.trainable or training is None or not training or context is None:
            return call(inputs, training=training)
        values = tf.cast(inputs, layer.gamma.dtype if layer.scale else tf.float32)
        axes = [axis for axis in range(values.shape.rank) if axis not in layer.axis]
        mean, variance = _moments(values, axes, context)
        # TensorFlow's fused kernel keeps the unbiased variance.
        images = tf.cast(tf.size(values) // tf.size(mean) * context.num_replicas_in_sync, values.dtype)
        kept = variance * images / (images - 1) if layer.fused else variance
        for statistic, now in ((layer.moving_mean, mean), (layer.moving_variance, kept)):
            statistic.assign_sub((statistic - tf.reshape(now, statistic.shape)) * (1 - layer.momentum))
        offset, scale = (
            tf.reshape(getattr(layer, name), tf.shape(mean)) if has else None
            for name, has in (("beta", layer.center), ("gamma", layer.scale))
        )
        normalized = tf.nn.batch_normalization(values, mean, variance, offset, scale, layer.epsilon)
        return tf.cast(normalized, layer.compute_dtype)

    return call_on_whole_batch


def _moments(values: tf.Tensor, axes: list[int], context: tf.distribute.ReplicaContext) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance over all parts, which are of equal size: `V = mean v_k + mean m_k² − (mean m_k)²`."""
    mean, variance = tf.nn.moments(values, axes, keepdims=True)
    parts = tf.stack([mean, variance, tf.square(mean)])
    mean, variance, square = tf.unstack(context.all_reduce(tf.distribute.ReduceOp.MEAN, parts))
    return mean, variance + tf.maximum(square - tf.square(mean), 0)
