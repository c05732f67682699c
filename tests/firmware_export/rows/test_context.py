"""The layout of the context."""

import numpy as np
import pytest
import row_models

from firmware_export.rows import context
from firmware_export.rows.context import Context, Place
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan


@pytest.fixture(scope="module")
def laid_out():
    return Context(plan(lower(row_models.every_layer())), "c")


def test_members_lie_one_after_another(laid_out):
    start = 8
    for member in laid_out.members:
        assert laid_out.place(member.name) == Place(start, f"offsetof(c, {member.name})")
        assert member.bytes % 4 == 0
        start += member.bytes
    assert start == laid_out.bytes
    with pytest.raises(KeyError):
        laid_out.place("rows_99")


def test_the_layout_does_not_depend_on_the_kernels(laid_out):
    """Their scratch memory is no member: it is the end of the context."""
    assert set(laid_out.scratch_bytes) == {"portable", "dsp", "mve"}
    assert laid_out.scratch_bytes["portable"] == 0 < laid_out.scratch_bytes["dsp"]
    assert not any("scratch" in member.name for member in laid_out.members)


def test_checks_of_sums_and_slots(laid_out):
    assert laid_out.checks("rows_0") == 0
    checked = Context(laid_out.plan, "c", has_checks=True)
    sums = [member.name for member in checked.members if member.name.startswith("sums_")]
    slots = sum(ring.depth for ring in checked.plan.rings)
    assert checked.bytes == laid_out.bytes + 8 * (len(sums) + slots)
    start = checked.place("checks").value
    assert [checked.checks(name).value for name in sums] == [start + 8 * i for i in range(len(sums))]
    first, second = checked.checks("rows_0"), checked.checks("rows_1")
    assert first.value == start + 8 * len(sums)
    assert second.value == first.value + 8 * checked.plan.rings[0].depth


def test_a_place_plus_bytes():
    assert Place(8, "here").plus(3) == Place(11, "here + 3u")
    assert Place(8, "here").plus(0) == Place(8, "here")


def test_fast_kernels_run_convolutions_with_small_sums_and_windows():
    def network(build, shape=(1, 12, 6, 4)):
        return lower(row_models.model(build, shape, quantization=(0.1, 7))).layers[0]

    layer = network(lambda b, x: b.convolution(x, 3, (3, 3), (1, 1), "SAME", "RELU"))
    assert context.has_fast_kernel(layer)
    layer.bias[0] = np.int32(1 << 30)
    assert not context.has_fast_kernel(layer)
    assert not context.has_fast_kernel(network(lambda b, x: b.convolution(x, 3, (9, 1), (1, 1), "SAME", "RELU")))
    assert not context.has_fast_kernel(network(lambda b, x: b.mean(x)))
