"""Check a plan: simulate its schedule to prove that no row is read before it is written or after it is overwritten.

The simulation is independent of the planner. Each slot holds the identity of the row last written to it.
"""

from firmware_export.rows.layers import Tensor
from firmware_export.rows.plan import SOURCE, Plan


def check(plan: Plan) -> None:
    """Simulate a schedule.

    Raises:
        RuntimeError: a layer would read a wrong row, or output rows are missing at the end. This is a defect of the
            planner, not a user error.
    """
    network = plan.network
    slots: dict[tuple[int, int], tuple[Tensor, int, bool]] = {}
    steps = [0] * (len(network.layers) + 1)

    def slot(tensor: Tensor, row: int) -> tuple[int, int]:
        ring = plan.ring_of[tensor]
        return plan.rings.index(ring), row % ring.depth

    def expect(tensor: Tensor, row: int, reader: str) -> None:
        found = slots.get(slot(tensor, row))
        if found != (tensor, row, True):
            raise RuntimeError(f"{reader} reads row {row} of {tensor.name!r} and finds {found}")

    for number in plan.schedule:
        step = steps[number]
        steps[number] += 1
        if number == SOURCE:
            slots[slot(network.input, step)] = network.input, step, True
            continue
        layer = network.layers[number - 1]
        for position, tensor in enumerate(layer.inputs):
            for row in layer.reads_from(position, step):
                expect(tensor, row, f"step {step} of {layer.operator}")
        begun, finished = layer.begun(step), layer.finished(step)
        earlier = layer.finished(step - 1) if step else 0
        for row in range(earlier, begun):
            slots[slot(layer.output, row)] = layer.output, row, row < finished
    for tensor in network.outputs:
        for row in range(tensor.height):
            expect(tensor, row, "the caller")
    if steps != [network.input.height, *(layer.steps for layer in network.layers)]:
        raise RuntimeError(f"the schedule has {steps} steps")
