"""How little memory the row engine's plan of a model can need: `PYTHONPATH=. python tests/memory_bound.py MODEL`.

The planner looks for stages, and places in memory, by estimates. Here, every possible stage is planned, and what its
memory holds at each step is added up, without gaps. No arrangement needs less, so the division whose largest stage is
smallest gives a bound, for whole rows in the planner's order. Stages do not depend on each other: what passes between
two of them is whole.
"""

import itertools
import sys
from pathlib import Path

import numpy as np

from firmware_export.rows import arrange, stages
from firmware_export.rows.layers import Network
from firmware_export.rows.least_memory import plan_memory
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import Plan, in_stages, plan
from firmware_export.verify import verify


def needs(planned: Plan) -> np.ndarray:
    """The bytes that are needed while the source runs, and each layer, with its scratch memory on a Cortex-M4."""
    parts = arrange._parts(planned, arrange._blocks(planned))
    needed, _ = arrange._needed(planned, parts)
    at_steps = (parts[:, 2] - parts[:, 1]) @ needed
    schedule = np.array(planned.schedule)
    scratch = [0, *(arrange.fast_kernels.scratch_bytes(layer)["dsp"] for layer in planned.network.layers)]
    return np.array([at_steps[schedule == i].max() + bytes_ for i, bytes_ in enumerate(scratch)])


def stage_needs(without: Plan, start: int, end: int) -> int:
    """The bytes of a stage of the layers from `start` to before `end`, planned from a plan without stages."""
    cuts = [cut for cut in (start, end) if 0 < cut <= len(without.network.layers)]
    return int(needs(in_stages(without, cuts))[start:end].max())


def bound(network: Network) -> int:
    """The least bytes, of any division and arrangement."""
    without = plan(network)
    costs = stages.Costs(network, without.rings)
    ends = [*(start for start in range(costs.number) if start not in costs.inseparable), costs.number]
    known = {span: stage_needs(without, *span) for span in itertools.combinations(ends, 2)}
    chosen = itertools.pairwise((0, *stages.divide(costs, known), costs.number))
    return max(known[span] for span in chosen)


def main() -> None:
    """Print what a model's plan needs, and the bound."""
    path = Path(sys.argv[1])
    network = lower(verify.read(path.read_bytes(), path.name))
    found = arrange.arrange(plan_memory(network)).most_bytes
    print(
        f"{path.name}: the plan needs {found:,} bytes on Cortex-M4, and none of whole rows less than {bound(network):,}"
    )


if __name__ == "__main__":
    main()
