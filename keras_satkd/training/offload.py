"""A training as a program that a machine without TensorFlow runs: its whole epoch lowered to XLA's HLO.

The program is `Distiller.train_step` and `test_step` themselves, compiled by TensorFlow up to the point where XLA must
know which device it is for; `run_offloaded.py` does the rest with JAX alone. Images come in the order in which
`training.fit` would have taken them; their views are as random, but XLA draws other numbers from the same seeds.
"""

import json
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.compiler.xla.service import hlo_pb2

from firmware_export.common.errors import UserError
from firmware_export.common.files import write_bytes, write_json, write_with
from keras_satkd.config import TrainingConfig
from keras_satkd.data import augment
from keras_satkd.data.splits import Split
from keras_satkd.distiller import Distiller
from keras_satkd.run import history
from keras_satkd.training import run_offloaded
from keras_satkd.training.batches import batch_maker, choices, known
from keras_satkd.training.fit import compile_for
from keras_satkd.training.teacher_logits import ViewLogits

EVERY_EPOCH = ("indices", "seeds")
"""Arguments of the program of which each epoch has its own."""


class Lowered(Exception):
    """Ends a road where a training was written as a program; its argument is the folder."""


def lower(
    distiller: Distiller,
    split: Split,
    said: tuple[ViewLogits | None, ViewLogits | None],
    config: TrainingConfig,
    augmentation: str,
    seed: int,
    folder: Path,
) -> None:
    """Write what `run_offloaded.py` needs to train as `training.fit` would.

    Args:
        distiller: not yet compiled.
        split: training and validation images.
        said: what the teachers say of these; None without teachers.
        config: of the training.
        augmentation: one of `augment.REPEATABLE`.
        seed: of the order of images and their views.
        folder: gets the program, its arguments and its state.

    Raises:
        UserError: the training is one that no program can hold; nothing is written.
    """
    training, validation = said
    if distiller.teacher_names and training is None:
        raise UserError("teachers in the loop cannot be lowered: use --distillation.teacher-logits precomputed")
    if config.schedule == "plateau":
        raise UserError("schedule 'plateau' cannot be lowered: use 'cosine' or 'constant'")
    if augmentation not in augment.REPEATABLE:
        raise UserError(f"augmentation {augmentation!r} cannot be lowered: use one of {', '.join(augment.REPEATABLE)}")
    arguments = {
        "pixels": split.train.images,
        "labels": split.train.labels.astype(np.int32),
        **known(training),
        **_every_epoch(len(split.train), config, seed),
        "validation_pixels": split.validation.images,
        "validation_labels": split.validation.labels.astype(np.int32),
    }
    if validation is not None:
        arguments["validation_logits"] = validation.logits[:, 0].astype(np.float32)
    compile_for(config, distiller, steps=arguments["indices"].shape[1])
    epoch = _epoch(distiller, list(arguments), augmentation)
    examples = [
        tf.TensorSpec(array.shape[1:] if name in EVERY_EPOCH else array.shape, array.dtype)
        for name, array in arguments.items()
    ]
    distiller.optimizer.build(distiller.student.trainable_variables)
    concrete = epoch.get_concrete_function(*examples)
    variables = {id(variable.handle): variable for variable in concrete.variables}
    # Captured are handles of variables, and constants too large for the graph.
    state = [variables.get(id(captured), captured) for captured in concrete.captured_inputs]
    program = _lowered(epoch, examples)
    for name, array in arguments.items():
        write_with(folder / f"{name}.npy", partial(np.save, arr=array))
    values = {str(position): held.numpy() for position, held in enumerate(state)}
    write_with(folder / run_offloaded.STATE_FILE, lambda path: np.savez_compressed(path, **values))
    write_bytes(folder / run_offloaded.PROGRAM_FILE, program.SerializeToString())
    write_json(
        folder / run_offloaded.DESCRIPTION_FILE,
        {
            "arguments": list(arguments),
            "every_epoch": list(EVERY_EPOCH),
            # A dictionary's values leave a function in the order of its sorted keys.
            "metrics": sorted(concrete.structured_outputs),
            "state_of_output": _aliases(program, len(arguments)),
            "weights": [_position(state, weights) for weights in distiller.student.weights],
            "epochs": config.epochs,
            "patience": config.patience,
        },
    )


def take_back(network: tf_keras.Model, folder: Path, phase: str, workdir: Path) -> None:
    """Give `network` the best weights that `run_offloaded.py` found, and note in the run's metrics what it measured.

    Args:
        network: that was trained.
        folder: that `lower` wrote.
        phase: name of the training in the run.
        workdir: the run's folder.

    Raises:
        UserError: the file is damaged, or of another network.
    """
    path = folder / run_offloaded.TRAINED_FILE
    try:
        with np.load(path) as trained:
            rows, hardware = json.loads(str(trained["rows"])), str(trained["hardware"])
            network.set_weights([trained[str(position)] for position in range(len(network.weights))])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} does not hold this training ({error}): run run_lowered.py on {folder} again") from None
    others = [row for row in history.read(workdir / history.FILE) if row["phase"] != phase]
    found = [{"phase": phase, "hardware": hardware, **{key: str(row[key]) for key in row}} for row in rows]
    history.write(workdir / history.FILE, [*others, *found])


def _every_epoch(images: int, config: TrainingConfig, seed: int) -> dict[str, np.ndarray]:
    """int32 [epochs, steps, B] and int64 [epochs, steps, 2]: the batches that `fit` would take."""
    batches = choices(images, config.batch_size, seed)
    # Keras' `fit` looks at a first batch before it begins, which uses the first order up.
    _, *epochs = [list(batches.as_numpy_iterator()) for _ in range(1 + config.epochs)]
    return {
        "indices": np.array([[indices for indices, _ in epoch] for epoch in epochs], np.int32),
        "seeds": np.array([[seeds for _, seeds in epoch] for epoch in epochs], np.int64),
    }


def _epoch(distiller: Distiller, names: Sequence[str], augmentation: str) -> Any:
    def epoch(*arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        given = dict(zip(names, arrays, strict=True))
        knowledge = {name: given[name] for name in ("teacher_logits", "draws") if name in given}
        make = batch_maker(given["pixels"], given["labels"], augmentation, **knowledge)
        distiller.reset_metrics()
        for step in tf.range(len(given["seeds"])):
            distiller.train_step(make(tf.cast(given["indices"][step], tf.int64), given["seeds"][step]))
        found = {metric.name: metric.result() for metric in distiller.metrics}
        distiller.reset_metrics()
        inputs = {"image": given["validation_pixels"]}
        if "validation_logits" in given:
            inputs["teacher_logits"] = given["validation_logits"]
        scored = distiller.test_step((inputs, given["validation_labels"]))
        return found | {f"val_{name}": value for name, value in scored.items()}

    return tf.function(epoch, jit_compile=True)


def _lowered(epoch: Any, examples: Sequence[tf.TensorSpec]) -> hlo_pb2.HloModuleProto:
    try:
        program = epoch.experimental_get_compiler_ir(*examples)(stage="hlo_serialized")
    except (ValueError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"XLA cannot compile this training ({reason}): train it here") from None
    module = hlo_pb2.HloModuleProto.FromString(program)
    for computation in module.computations:
        for instruction in computation.instructions:
            # A program travels to an accelerator as StableHLO, which has no copy.
            if instruction.opcode == "copy":
                instruction.opcode = "reshape"
    return module


def _aliases(program: hlo_pb2.HloModuleProto, arguments: int) -> dict[str, int]:
    """Output → the variable whose new value it is; by position among the outputs and among the variables."""
    return {
        str(alias.output_shape_index[0]): alias.parameter_number - arguments
        for alias in program.input_output_alias.entries
    }


def _position(state: Sequence[tf.Variable | tf.Tensor], wanted: tf.Variable) -> int:
    return next(position for position, held in enumerate(state) if held is wanted)
