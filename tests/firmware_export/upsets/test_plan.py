from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.upsets import plan


def test_the_same_seed_draws_the_same(harness):
    layout, _ = harness
    first, again, other = (plan.draw(layout, 4, 50, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) == 50 * len(layout.regions)


def test_injections_are_in_their_regions(harness):
    layout, _ = harness

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**31), st.integers(1, 9))
    def check(seed, images):
        regions = {region.name: region for region in layout.regions}
        for injection in plan.draw(layout, images, 5, seed):
            image, moment, memory, byte, bit = injection.line.split()
            region = regions[injection.region]
            assert 0 <= int(image) < images
            assert (moment == "b") is not region.is_during
            assert moment == "b" or moment in layout.moments[0]
            assert 0 <= int(bit) < 8
            assert any(
                member.memory == memory and member.start <= int(byte) < member.start + member.bytes
                for member in region.members
            )
            place, size = map(int, injection.bit.split(" of "))
            assert 0 <= place < size

    check()
