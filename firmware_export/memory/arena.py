"""TensorFlow Lite Micro's arena: the smallest size that works, the memory plan to use, and the margin to add."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from firmware_export.common.steps import step
from firmware_export.memory import offline_plan
from firmware_export.memory.arena_trials import ArenaTrials
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph, Operator
from firmware_export.tflite.model import Model

_STEP = interpreters.ARENA_STEP

BOOKKEEPING_BYTES = 64
"""Allowance for each operator: TFLM's structures differ between versions."""


@dataclass(frozen=True)
class Arena:
    """The arena of a model; sizes in bytes, multiples of 16.

    Attributes:
        model: the model to export: the input model, or the same with an added memory plan.
        least_bytes: the smallest arena with which TFLM prepares `model` on this 64-bit host.
        given_bytes: the same for the input model.
        margin_bytes: to be added for other hosts and kernels.
    """

    model: Model
    least_bytes: int
    given_bytes: int
    margin_bytes: int

    @property
    def has_our_plan(self) -> bool:
        """Whether the export added a memory plan to `model` (`offline_plan`)."""
        return self.least_bytes < self.given_bytes

    @property
    def margin_rule(self) -> str:
        """How the margin is computed, in words."""
        return (
            "CMSIS-NN's largest scratch buffer, four bytes for each output of dense layers, and "
            f"{BOOKKEEPING_BYTES} bytes for each operator"
        )

    @property
    def bytes_with_margin(self) -> int:
        """The arena size that firmware reserves."""
        return self.least_bytes + self.margin_bytes


@step("finding the smallest arena")
def find(model: Model) -> Arena:
    """Find the smallest arena; add a memory plan if that makes the arena smaller than TFLM's own planner does.

    `kernel_parity.check_least_arena` checks that the outputs stay the same.

    Args:
        model: int8, with one subgraph.

    Raises:
        UserError: TFLM refuses the model with an arena of any size.
    """
    with ArenaTrials() as trials:
        given = _least_bytes(model, trials)
        planned = offline_plan.with_offline_plan(model)
        least = _least_bytes(planned, trials)
    if least >= given:
        planned, least = model, given
    return Arena(planned, least, given, margin(model.graph))


def margin(graph: Graph) -> int:
    """The margin in bytes, a multiple of 16, as stated by `Arena.margin_rule`.

    The search runs TFLM's reference kernels, which need no scratch memory for convolutions. CMSIS-NN's kernels do: one
    buffer at a time for convolutions and pooling, and on Cortex-M55 the sums of the weights of every dense layer, which
    stay. On emulated cores, a ResNet8 needed 202,240 bytes with CMSIS-NN (M4, M55) and 203,136 were found here, because
    pointers have 64 bits on the host. `BOOKKEEPING_BYTES` is for structures of other TFLM versions.
    """
    scratch = max(map(_scratch_bytes, graph.operators), default=0)
    bytes_ = scratch + sum(map(_sums_bytes, graph.operators)) + BOOKKEEPING_BYTES * len(graph.operators)
    return _aligned(bytes_)


def _scratch_bytes(operator: Operator) -> int:
    """The largest buffer that CMSIS-NN asks for, with the DSP extension or with Helium (`arm_*_get_buffer_size*`)."""
    match operator.name:
        case "CONV_2D":  # four windows in 8 bits, each a multiple of 16 bytes; or two in 16 bits
            weights = operator.given(1)
            return 4 * _aligned(weights.size // weights.shape[0])
        case (
            "DEPTHWISE_CONV_2D"
        ):  # windows of all channels in 16 bits; or four of 124 channels; or an unfolded convolution
            weights = operator.given(1)
            window = weights.size // weights.shape[-1]
            return max(2 * weights.size, 4 * 124 * window, 4 * _aligned(window) + weights.size)
        case "AVERAGE_POOL_2D":  # sums in 32 bits
            return 4 * operator.outputs[0].shape[-1]
        case _:
            return 0


def _sums_bytes(operator: Operator) -> int:
    return 4 * operator.given(1).shape[0] if operator.name == "FULLY_CONNECTED" else 0


def _aligned(bytes_: int) -> int:
    return -(-bytes_ // _STEP) * _STEP


def least_bytes(model: Model) -> int:
    """The smallest arena, in bytes and a multiple of 16, with which TFLM's `AllocateTensors` succeeds on this host.

    The search starts at what TFLM's recording API counts, which usually is the result. It may omit memory that kernels
    allocate only while they are prepared, so neighbouring sizes are tried, then sizes between by bisection. The host's
    pointers have 64 bits; a 32-bit part needs slightly less (201,796 instead of 203,396 bytes for a ResNet8).

    Raises:
        UserError: TFLM refuses the model with an arena of any size.
    """
    with ArenaTrials() as trials:
        return _least_bytes(model, trials)


def _least_bytes(model: Model, trials: ArenaTrials) -> int:
    fits = functools.partial(trials.fit, model)
    too_small, enough = _bracket(fits, interpreters.TflmInterpreter(model).recorded_bytes())
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if fits(middle * _STEP):
            enough = middle
        else:
            too_small = middle
    return enough * _STEP


def _bracket(fits: Callable[[int], bool], recorded: int | None) -> tuple[int, int]:
    """An arena that is too small, and one that is enough, in steps; the search goes away from `recorded`, doubling."""
    lowest, highest = interpreters.LEAST_ARENA // _STEP, interpreters.LARGEST_ARENA // _STEP
    if recorded is None:
        return lowest - 1, highest
    start = min(max(-(-recorded // _STEP), lowest), highest)
    distance = 1
    if fits(start * _STEP):
        enough = start
        while enough - distance >= lowest and fits((enough - distance) * _STEP):
            enough -= distance
            distance *= 2
        return max(enough - distance, lowest - 1), enough
    too_small = start
    while too_small + distance < highest and not fits((too_small + distance) * _STEP):
        too_small += distance
        distance *= 2
    return too_small, min(too_small + distance, highest)
