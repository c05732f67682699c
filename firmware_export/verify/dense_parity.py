"""What another version of TFLM computes in dense layers (`DenseScale`), and an input that tells the two apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from firmware_export.common.dense_scale import DenseScale
from firmware_export.tflite import interpreters
from firmware_export.tflite.cut import cut_after
from firmware_export.tflite.interpreters import TflmInterpreter
from firmware_export.tflite.model import Model
from firmware_export.verify import dense_layers
from firmware_export.verify.dense_layers import DenseLayer

_MOST_TRIED = 1000
_LEAST_TRIED = 50
_MACS = 5_000_000_000
"""Multiply-accumulates of a search: some seconds."""
_PARENTS = 8
_LARGEST_STEP = 4


@dataclass(frozen=True)
class DenseSummary:
    """The facts for a report."""

    dense_scale: str
    """The value of `--dense-scale`."""
    outputs_of: str
    """The versions of TFLM whose outputs the files contain."""
    layers: tuple[str, ...]
    """Labels of the operators whose multipliers differ."""
    can_differ: bool
    """Whether some sum within reach of these layers gives another code."""
    tried: int
    """Number of inputs among which one was searched for which the model's outputs differ."""
    has_golden_vector: bool
    """Whether one was found: it is the last golden vector."""
    statement: str
    """The same for a reader, without a full stop."""


@dataclass(frozen=True, eq=False)
class DenseParity:
    """The dense layers of a model whose multiplier depends on the version of TFLM."""

    dense_scale: DenseScale
    """Whose outputs the files contain."""
    layers: tuple[str, ...] = ()
    """Labels of the operators whose multipliers differ."""
    can_differ: bool = False
    """Whether some sum within reach of these layers gives another code."""
    tried: int = 0
    """Number of inputs among which one was searched whose outputs differ."""
    telling: np.ndarray | None = field(default=None, repr=False)
    """int8 [1, …input shape without the batch]: that input; None if none was found."""

    @property
    def differs_from_package(self) -> bool:
        """Whether outputs may differ from those of the `tflite-micro` package."""
        return self.can_differ and self.dense_scale is not DenseScale.DOUBLE

    @property
    def statement(self) -> str:
        """What depends on the version; "" if no multiplier does."""
        if not self.layers:
            return ""
        layers = f"{len(self.layers)} dense layer{'s' * (len(self.layers) > 1)}"
        if not self.can_differ:
            return f"the multiplier of {layers} depends on TFLM's version, but no output does"
        parts = [
            f"the multiplier of {layers} depends on TFLM's version, and so may outputs by a step; they are those of "
            f"{self.dense_scale.versions}, which multiplies the scales in {self.dense_scale}"
        ]
        if self.differs_from_package:
            parts.append(
                "these layers were computed in integers on the host, and all others by the tflite-micro package"
            )
        if self.telling is None:
            parts.append(f"no golden vector tells versions apart: {self.tried} inputs were tried")
        else:
            parts.append("the last golden vector tells versions apart")
        return "; ".join(parts)

    @property
    def summary(self) -> DenseSummary | None:
        """The facts for a report; None if no multiplier depends on the version."""
        if not self.layers:
            return None
        return DenseSummary(
            dense_scale=self.dense_scale.value,
            outputs_of=self.dense_scale.versions,
            layers=self.layers,
            can_differ=self.can_differ,
            tried=self.tried,
            has_golden_vector=self.telling is not None,
            statement=self.statement,
        )


class Runner:
    """TensorFlow Lite Micro, with the dense layers in question computed under either scale.

    All other operators run in the `tflite-micro` package, from what the layers before them gave.
    """

    def __init__(self, model: Model, layers: Sequence[DenseLayer]) -> None:
        """Prepare a model without a memory plan, and its `layers` as `dense_layers.find` returns them."""
        self._graph = model.graph
        self._pieces = [
            (piece, TflmInterpreter(piece.model, keeps_tensors=True)) for piece in cut_after(model, {dense_layers.NAME})
        ]
        self._layers = {layer.operator.index: layer for layer in layers}
        self._needed = {i for piece, _ in self._pieces for i in piece.inputs} | {t.index for t in self._graph.outputs}

    def run(self, codes: np.ndarray, dense_scale: DenseScale) -> np.ndarray:
        """The outputs for int8 [N, …input shape without the batch], int8 [N, …]."""
        return np.stack([self.invoke(image[np.newaxis], dense_scale)[0][0] for image in codes])

    def invoke(self, codes: np.ndarray, dense_scale: DenseScale) -> tuple[np.ndarray, int | None]:
        """One inference: the outputs as of `TflmInterpreter.invoke`, and the least distance to a telling sum."""
        parts = interpreters.inputs_of(codes, self._graph)
        values = {tensor.index: part for tensor, part in zip(self._graph.inputs, parts, strict=True)}
        distances = []
        for piece, micro in self._pieces:
            micro.invoke(interpreters.joined([values[i] for i in piece.inputs]))
            written = {tensor.index for operator in piece.operators for tensor in operator.outputs}
            values |= {index: micro.tensor(index).copy() for index in written & self._needed}
            last = piece.operators[-1]
            layer = self._layers.get(last.index)
            if layer is not None:
                given = last.given(0).index
                sums = layer.sums(values[given] if given in piece.inputs else micro.tensor(given))
                values[last.outputs[0].index] = layer.outputs(sums, dense_scale).reshape(last.outputs[0].shape)
                if layer.can_differ:
                    distances.append(int(layer.distances(sums).min()))
        return interpreters.joined([values[t.index] for t in self._graph.outputs]), min(distances, default=None)


def runner(model: Model, dense_scale: DenseScale) -> Callable[[np.ndarray], np.ndarray]:
    """From codes, int8 [N, …], to the outputs under a scale, int8 [N, …]; the model has no memory plan."""
    prepared = Runner(model, dense_layers.find(model))
    return lambda codes: prepared.run(codes, dense_scale)


def check(model: Model, codes: np.ndarray, dense_scale: DenseScale) -> DenseParity:
    """Find the layers, and an input for which the model's outputs differ.

    Args:
        model: int8, with batch 1 and without a memory plan.
        codes: int8 [N, …input shape without the batch]: inputs to begin with.
        dense_scale: the chosen one.
    """
    layers = dense_layers.find(model)
    labels = tuple(layer.operator.label for layer in layers)
    if not any(layer.can_differ for layer in layers):
        return DenseParity(dense_scale, labels)
    telling, tried = _search(Runner(model, layers), codes, _budget(model.graph.macs))
    return DenseParity(dense_scale, labels, can_differ=True, tried=tried, telling=telling)


def _budget(macs: int) -> int:
    return min(max(_MACS // max(macs, 1), _LEAST_TRIED), _MOST_TRIED)


def _search(runner: Runner, codes: np.ndarray, budget: int) -> tuple[np.ndarray | None, int]:
    """An input with different outputs, or None, and how many were tried.

    The given inputs come first, then changes of those whose sums are nearest to one that tells the two apart.
    """
    random = np.random.default_rng(0)
    nearest: list[tuple[int, int, np.ndarray]] = []
    for number in range(budget):
        if number < min(len(codes), budget // 2):
            tried = codes[number : number + 1]
        else:
            tried = _changed(nearest[random.integers(len(nearest))][2], random)
        outputs, distance = runner.invoke(tried, DenseScale.DOUBLE)
        if distance == 0 and not np.array_equal(outputs, runner.invoke(tried, DenseScale.FLOAT)[0]):
            return tried, number + 1
        nearest = sorted([*nearest, (max(distance or 0, 1), number, tried)], key=lambda each: each[:2])[:_PARENTS]
    return None, budget


def _changed(codes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Inputs with some elements a few codes off."""
    flat = codes.reshape(-1).astype(np.int64)
    places = random.integers(flat.size, size=random.integers(1, 1 + max(1, flat.size // 100)))
    flat[places] += random.integers(-_LARGEST_STEP, _LARGEST_STEP + 1, size=places.size)
    return flat.clip(-128, 127).astype(np.int8).reshape(codes.shape)
