"""The layout of the context."""

import pytest
import row_models

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


def test_rings_that_share_memory_are_one_member():
    def build(builder, x):
        for _ in range(3):
            x = builder.convolution(x, 8, (1, 1), (1, 1), "SAME", "RELU")
        return builder.mean(x)

    found = Context(plan(lower(row_models.model(build, (1, 12, 12, 8)))), "c")
    shared = next(member for member in found.members if member.name == "shared_0")
    assert shared.declaration == "int8_t shared_0[96]; /* rows_0, rows_2, rows_4 */"
    assert found.is_shared("rows_0")
    assert not found.is_shared("sums_4")
    assert found.place("rows_0") == found.place("rows_2")
    assert found.place("rows_0").text == "offsetof(c, shared_0)"


def test_the_layout_does_not_depend_on_the_kernels(laid_out):
    """Their scratch memory is no member: it is the end of the context."""
    assert set(laid_out.scratch_bytes) == {"portable", "dsp", "mve"}
    assert laid_out.scratch_bytes["portable"] == 0 < laid_out.scratch_bytes["dsp"]
    assert not any("scratch" in member.name for member in laid_out.members)


def test_checks_of_sums_and_slots(laid_out):
    assert laid_out.checks("rows_0") == 0
    checked = Context(laid_out.plan, "c", has_checks=True)
    assert not any(member.name.startswith("shared_") for member in checked.members)
    sums = [member.name for member in checked.members if member.name.startswith("sums_")]
    slots = sum(ring.depth for ring in checked.plan.rings)
    assert sum(member.bytes for member in checked.members if member.name == "checks") == 8 * (len(sums) + slots)
    start = checked.place("checks").value
    assert [checked.checks(name).value for name in sums] == [start + 8 * i for i in range(len(sums))]
    first, second = checked.checks("rows_0"), checked.checks("rows_1")
    assert first.value == start + 8 * len(sums)
    assert second.value == first.value + 8 * checked.plan.rings[0].depth


def test_a_place_plus_bytes():
    assert Place(8, "here").plus(3) == Place(11, "here + 3u")
    assert Place(8, "here").plus(0) == Place(8, "here")
