"""Run a model with TensorFlow Lite Micro on this host, or with one of TFLite's two sets of kernels.

TFLM is the reference: the PyPI package `tflite-micro` contains the interpreter and the reference kernels that firmware
compiles, built for the host. TFLite's reference kernels are used to cross-check it. TFLite's default kernels (XNNPACK)
differ by a few codes from the first convolution on; they are used for accuracy on a whole test set, because only they
are fast enough.
"""

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np

from firmware_export.common import on_disk
from firmware_export.common.errors import UserError
from firmware_export.common.stderr import captured_stderr
from firmware_export.common.steps import step
from firmware_export.tflite import input_range
from firmware_export.tflite.graph import Graph
from firmware_export.tflite.model import Model

ARENA_STEP = 16
"""Bytes: TFLM aligns the arena, and every buffer in it, to this."""
LEAST_ARENA = 1024
"""Bytes. TFLM's allocator writes about 450 bytes unchecked: a smaller arena crashes the process."""
LARGEST_ARENA = 1 << 26
"""Bytes; no microcontroller has more."""
_LACKING = re.compile(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'")
_RECORDED = re.compile(r"Arena allocation total (\d+) bytes")

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


class TflmInterpreter:
    """TensorFlow Lite Micro with one model and one arena."""

    def __init__(self, model: Model, arena_size: int | None = None, *, keeps_tensors: bool = False) -> None:
        """Prepare a model.

        Args:
            model: what to run.
            arena_size: bytes, at least 1024; None for more than any microcontroller has.
            keeps_tensors: give every tensor separate memory, so that `tensor` can read all of them after `invoke`.

        Raises:
            UserError: TFLM cannot prepare the model, or the arena is too small; contains TFLM's message.
        """
        from tflite_micro.python.tflite_micro import runtime

        self._graph = model.graph
        configs = runtime.InterpreterConfig
        with captured_stderr() as written:
            try:
                self._interpreter = runtime.Interpreter.from_bytes(
                    model.content,
                    arena_size=max(arena_size or LARGEST_ARENA, LEAST_ARENA),
                    intrepreter_config=configs.kPreserveAllTensors if keeps_tensors else configs.kAllocationRecording,
                )
            except RuntimeError as error:
                raise UserError(f"TensorFlow Lite Micro refuses the model: {_reason(written(), error)}") from error

    def invoke(self, codes: np.ndarray) -> np.ndarray:
        """Run one inference.

        Args:
            codes: int8, the codes of the model's input, batch 1 included; of several inputs: [1, all codes].

        Returns:
            int8, the shape of the model's output; of several outputs, or without a batch: [1, all codes].
        """
        with captured_stderr() as written:
            try:
                self.set_input(codes)
                self._interpreter.invoke()
            except RuntimeError as error:
                raise UserError(f"TensorFlow Lite Micro cannot run the model: {_reason(written(), error)}") from error
        return joined([self._interpreter.get_output(position) for position in range(len(self._graph.outputs))])

    def set_input(self, codes: np.ndarray) -> None:
        """Write codes, as of `invoke`, into the model's inputs, which `invoke` does by itself."""
        for position, part in enumerate(inputs_of(codes, self._graph)):
            self._interpreter.set_input(part, position)

    def recorded_bytes(self) -> int | None:
        """The bytes of the arena that TFLM's recording counts; None if its report is not as known here."""
        with captured_stderr() as written:
            self._interpreter.print_allocations()
            found = _RECORDED.search(written())
        return None if found is None else int(found[1])

    def tensor(self, index: int) -> np.ndarray:
        """A tensor's content after `invoke`; needs `keeps_tensors`."""
        values: np.ndarray = self._interpreter.GetTensor(index, 0)["tensor_data"]
        return values


def _reason(written: str, error: Exception) -> str:
    return "; ".join(line.strip() for line in written.splitlines() if line.strip()) or str(error)


def run(model: Model, images_int8: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """Run a model with TFLM, which computes the same as a microcontroller.

    Args:
        model: int8, with batch 1.
        images_int8: int8 [N, …input shape without the batch], as returned by `quantize_input`.
        progress: called after every image.

    Returns:
        int8 [N, …output shape without the batch].
    """
    interpreter = TflmInterpreter(model)
    return _for_each(interpreter.invoke, images_int8, len(images_int8), progress)


class TfliteInterpreter:
    """TFLite (LiteRT) with one model."""

    def __init__(self, model: Model, *, is_reference: bool) -> None:
        """Prepare a model.

        Args:
            model: what to run.
            is_reference: use the reference kernels and keep every tensor; otherwise use the fast default kernels.

        Raises:
            UserError: TFLite cannot prepare the model.
        """
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._graph = model.graph
        self._outputs = [tensor.index for tensor in model.graph.outputs]
        options: dict[str, Any] = {}
        if is_reference:
            options["experimental_op_resolver_type"] = OpResolverType.BUILTIN_REF
            options["experimental_preserve_all_tensors"] = True
        with captured_stderr():
            try:
                self._interpreter = Interpreter(model_content=model.content, **options)
                self._interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                if (lacking := _LACKING.search(str(error))) is not None:
                    raise UserError(
                        f"TFLite's reference kernels, with which TFLM is compared, do not have {lacking[1]} of version "
                        f"{lacking[2]}: use another operator"
                    ) from error
                raise UserError(f"TFLite refuses the model ({_one_line(error)}): convert it again") from error

    def invoke(self, codes: np.ndarray) -> np.ndarray:
        """Run one inference, as `TflmInterpreter.invoke`."""
        parts = inputs_of(codes, self._graph)
        return self.invoke_with({end.index: part for end, part in zip(self._graph.inputs, parts, strict=True)})

    def invoke_with(self, inputs: dict[int, np.ndarray]) -> np.ndarray:
        """As `invoke`, with inputs of any data type, given by tensor index."""
        try:
            for index, value in inputs.items():
                self._interpreter.set_tensor(index, value)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise UserError(f"TFLite cannot run the model ({_one_line(error)}): convert it again") from error
        return joined([self._interpreter.get_tensor(index) for index in self._outputs])

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape that TFLite computed for a tensor when it prepared the model; needs `is_reference`."""
        return self._shapes[index] if index in self._shapes else self.tensor(index).shape

    @cached_property
    def _shapes(self) -> dict[int, tuple[int, ...]]:
        """By tensor, without a copy of its values; LiteRT leaves out those whose names are not UTF-8."""
        details = self._interpreter.get_tensor_details()
        return {each["index"]: tuple(map(int, each["shape"])) for each in details}

    def tensor(self, index: int) -> np.ndarray:
        """A tensor's content after `invoke`; needs `is_reference`."""
        values: np.ndarray = self._interpreter.get_tensor(index)
        return values


def inputs_of(codes: np.ndarray, graph: Graph) -> list[np.ndarray]:
    """The inputs of one inference, each in its tensor's shape.

    Args:
        codes: int8, the codes of the model's input; of several inputs: [1, all codes], one input after the other.
        graph: of the model.
    """
    if len(graph.inputs) == 1:
        return [codes.reshape(graph.inputs[0].shape)]
    ends = np.cumsum([tensor.size for tensor in graph.inputs])[:-1]
    parts = np.split(codes.reshape(-1), ends)
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, graph.inputs, strict=True)]


def joined(outputs: list[np.ndarray]) -> np.ndarray:
    """The ends of one inference as one array: a single one that has a batch of 1 as it is, else [1, all codes]."""
    if len(outputs) == 1 and outputs[0].shape[:1] == (1,):
        return outputs[0]
    return np.concatenate([output.reshape(1, -1) for output in outputs], axis=1)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def firmware_input(codes: np.ndarray, graph: Graph) -> np.ndarray:
    """Images as firmware feeds them: uint8 pixels if the input is `pixel ^ 0x80`, otherwise the codes themselves.

    Args:
        codes: int8 [N, …], as returned by `quantize_input`.
        graph: of the model.
    """
    return codes.view(np.uint8) ^ np.uint8(0x80) if graph.has_unit_input else codes


@step("predicting labelled images")
def predict_int8(model: Model, images_uint8: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """Run a model with TFLite's fast kernels: for accuracy on many images, not as a reference.

    Args:
        model: int8, with batch 1.
        images_uint8: uint8 [N, …input shape without the batch].
        progress: called after every image.

    Returns:
        int8 [N, …output shape without the batch]; differs by up to a few codes from a microcontroller's outputs.
    """
    codes = (code for piece in on_disk.pieces(images_uint8) for code in quantize_input(piece, model.graph))
    return _for_each(TfliteInterpreter(model, is_reference=False).invoke, codes, len(images_uint8), progress)


def _for_each(
    invoke: Callable[[np.ndarray], np.ndarray], codes: Iterable[np.ndarray], number: int, progress: Progress | None
) -> np.ndarray:
    outputs = []
    for done, image in enumerate(codes, start=1):
        outputs.append(invoke(image[np.newaxis])[0])
        if progress is not None:
            progress(done, number)
    return np.stack(outputs)


def quantize_input(images_uint8: np.ndarray, graph: Graph) -> np.ndarray:
    """Quantize images to the model's input codes.

    Args:
        images_uint8: uint8 [N, …]; an int8 array is assumed to contain codes and returned unchanged.
        graph: the model's graph; its `input_range` gives the real value of a pixel.

    Returns:
        int8 [N, …]: `uint8 ^ 0x80` if the input's scale and zero point make it that, otherwise
        round(value / scale) + zero point, saturated.

    Raises:
        UserError: the images are neither uint8 nor int8, or the input's range is not known.
    """
    if images_uint8.dtype == np.int8:
        return images_uint8
    if images_uint8.dtype != np.uint8:
        raise UserError(f"images are {images_uint8.dtype}, uint8 expected: give pixels from 0 to 255")
    if graph.has_unit_input:
        return (images_uint8 ^ np.uint8(0x80)).view(np.int8)
    name, tensor = _known_range(graph), graph.inputs[0]
    # A table of all 256 values: exact in double precision, without a float array of the size of the data set.
    channels = 1 if input_range.is_gray(name) else images_uint8.shape[-1]
    codes = np.round(pixel_values(name, channels) / tensor.scale) + tensor.zero_point
    table: np.ndarray = np.clip(codes, -128, 127).astype(np.int8)
    if channels == 1:
        return np.take(table[0], images_uint8)
    return np.stack([np.take(table[i], images_uint8[..., i]) for i in range(len(table))], axis=-1)


def pixel_values(name: str, channels: int) -> np.ndarray:
    """The real values of all pixels in an input range: float64 [channels, 256]."""
    means, deviations = (np.array(each)[:, np.newaxis] for each in input_range.of_channels(name, channels))
    values: np.ndarray = (np.arange(256) - means) / deviations
    return values


def _known_range(graph: Graph) -> str:
    if graph.input_range is None:
        tensor = graph.inputs[0]
        low, high = (tensor.scale * (code - tensor.zero_point) for code in (-128, 127))
        raise UserError(
            f"{graph.name} takes values from {low:.4g} to {high:.4g}, which is no usual range of pixels: state it with "
            f"--input-range ({', '.join(input_range.INPUT_RANGES)}), or give the input's int8 codes as an array"
        )
    return graph.input_range
