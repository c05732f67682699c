"""TensorFlow Lite Micro's arena: the smallest size that works, the memory plan to use, and the margin to add."""

from dataclasses import dataclass

from firmware_export.memory import offline_plan
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph, Operator
from firmware_export.tflite.model import Model


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
        return "the larger of 1/16 and two windows of the widest convolution in 16 bits, rounded up to 16 bytes"

    @property
    def bytes_with_margin(self) -> int:
        """The arena size that firmware reserves."""
        return self.least_bytes + self.margin_bytes


def find(model: Model) -> Arena:
    """Find the smallest arena; add a memory plan if that makes the arena smaller than TFLM's own planner does.

    `kernel_parity.check_least_arena` checks that the outputs stay the same.

    Args:
        model: int8, with one subgraph.

    Raises:
        UserError: TFLM refuses the model with an arena of any size.
    """
    given = interpreters.least_arena(model)
    planned = offline_plan.with_offline_plan(model)
    least = interpreters.least_arena(planned)
    if least >= given:
        planned, least = model, given
    return Arena(planned, least, given, margin(model.graph, least))


def margin(graph: Graph, least_bytes: int) -> int:
    """The margin for the smallest arena in bytes, a multiple of 16, as stated by `Arena.margin_rule`.

    One sixteenth covers differences between TFLM versions and parts. For a small model, it would not cover CMSIS-NN's
    scratch buffer, which holds the convolution windows of two output positions as 16-bit values
    (`arm_convolve_s8_get_buffer_size`).
    """
    scratch = 4 * max((_window(operator) for operator in graph.operators), default=0)
    return -(-max(least_bytes // 16, scratch) // interpreters.ARENA_STEP) * interpreters.ARENA_STEP


def _window(operator: Operator) -> int:
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    weights = operator.given(1)
    return weights.size // weights.shape[0]
