"""Plan a network so that it needs the least memory: without stages, or in those that save the most.

What stages need is estimated before they are planned, and known afterwards, with what their arrangement wastes. So a
network is divided several times, each time with what is known of the earlier stages.
"""

from itertools import pairwise

from firmware_export.rows import stages
from firmware_export.rows.arrange import arrange, layer_ends
from firmware_export.rows.layers import Network
from firmware_export.rows.plan import Plan, in_stages, plan

_PATIENCE = 3
"""Divisions that may save nothing before the search ends."""


def plan_memory(network: Network, *, shares: bool = True) -> Plan:
    """Plan a network so that it needs the least memory: in stages where those save some.

    Args:
        network: to plan.
        shares: whether rings may share memory, and rows their padding; otherwise there are no stages.
    """
    best = without = plan(network, shares_padding=shares)
    if not shares:
        return without
    least, in_vain = arrange(without).most_bytes, 0
    costs = stages.Costs(network, without.rings)
    known: dict[tuple[int, int], int] = {}
    while in_vain < _PATIENCE:
        cuts = stages.divide(costs, known)
        spans = list(pairwise((0, *cuts, len(network.layers) + 1)))
        if all(span in known for span in spans):
            break
        found = in_stages(without, cuts)
        arrangement = arrange(found)
        ends = layer_ends(found, arrangement)
        known |= {(start, end): int(ends[start:end].max()) for start, end in spans}
        in_vain += 1
        if arrangement.most_bytes < least:
            best, least, in_vain = found, arrangement.most_bytes, 0
    return best
