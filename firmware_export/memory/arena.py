"""The memory that TensorFlow Lite Micro works in: how little is enough, under whose plan, and what to add to it."""

from dataclasses import dataclass

from firmware_export.memory import offline_plan
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph, Operator
from firmware_export.tflite.model import Model


@dataclass(frozen=True)
class Arena:
    """What a model needs; sizes in bytes, multiples of 16.

    Attributes:
        model: the model as it is to be shipped: as it was given, or with a memory plan of ours.
        least_bytes: the least with which TFLM prepares `model` on this 64-bit host.
        given_bytes: the same for the model as it was given.
        margin_bytes: what to add for other hosts and kernels.
    """

    model: Model
    least_bytes: int
    given_bytes: int
    margin_bytes: int

    @property
    def has_our_plan(self) -> bool:
        """Whether `model` carries offsets that were found here (`offline_plan`)."""
        return self.least_bytes < self.given_bytes

    @property
    def margin_rule(self) -> str:
        """What the margin is, in words."""
        return "the larger of 1/16 and two windows of the widest convolution in 16 bits, rounded up to 16 bytes"

    @property
    def bytes_with_margin(self) -> int:
        """What firmware reserves."""
        return self.least_bytes + self.margin_bytes


def find(model: Model) -> Arena:
    """The least arena, with a memory plan of our own where TFLM's planner needs more than that.

    Whether the plan leaves every answer as it was is for `kernel_parity.check_least_arena` to see.

    Args:
        model: int8, with one subgraph.

    Raises:
        UserError: TFLM refuses the model whatever the arena.
    """
    given = interpreters.least_arena(model)
    planned = offline_plan.with_offline_plan(model)
    least = interpreters.least_arena(planned)
    if least >= given:
        planned, least = model, given
    return Arena(planned, least, given, margin(model.graph, least))


def margin(graph: Graph, least_bytes: int) -> int:
    """What to add to the least arena, in bytes, a multiple of 16: `Arena.margin_rule`.

    A sixteenth covers differences between TFLM versions and parts; a small model's sixteenth would not cover CMSIS-NN's
    scratch buffer, which unfolds two output positions' windows of a convolution into 16-bit values
    (`arm_convolve_s8_get_buffer_size`).
    """
    scratch = 4 * max((_window(operator) for operator in graph.operators), default=0)
    return -(-max(least_bytes // 16, scratch) // interpreters.ARENA_STEP) * interpreters.ARENA_STEP


def _window(operator: Operator) -> int:
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    weights = operator.given(1)
    return weights.size // weights.shape[0]
