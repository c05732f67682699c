from dataclasses import replace

import pytest

from firmware_export.upsets import regions
from firmware_export.upsets.regions import Member, Region, Step

PRINTED = """\
constants model 0 96 4
constants layers 96 376 4
constants weights_2 472 8 1
constants novelty 480 4 4
context state 0 8 4
context steps 8 4 2
context rows_0 12 8 1
context rows_1 20 8 1
context scratch 28 40 4
bytes 484 36
image 2 3
layer 1 20
layer 2 99
step 0 1 30
step 1 1 30
step 1 2 31
"""


@pytest.fixture(scope="module")
def layout():
    return regions.parse(PRINTED, ["CONV_2D", "ADD"])


def test_regions(layout):
    bits = {(region.name, region.is_during): region.bits for region in layout.regions}
    assert bits == {
        ("layer descriptors", False): 8 * 472,
        ("layer descriptors, during an image", True): 8 * 472,
        ("weights", False): 64,
        ("other constants", False): 32,
        ("control state", True): 96,
        ("activations", True): 128,
        ("other state", True): 64,  # of the scratch memory, what is there
    }


def test_moments_are_as_likely_as_their_work(layout):
    names, shares = layout.moments
    assert names == ("r0", "s0", "r1", "s1", "s2", "r2")
    assert shares.tolist() == [pytest.approx(work / 100) for work in (3, 30, 3, 30, 31, 3)]


def test_layers(layout):
    members = {member.name: member for member in layout.members}
    assert layout.layer(members["layers"], 187) == "1: CONV_2D"
    assert layout.layer(members["layers"], 188) == "2: ADD"
    assert layout.layer(members["weights_2"], 0) == "2: ADD"
    assert layout.layer(members["rows_1"], 0) == "1: CONV_2D"
    assert layout.layer(members["rows_0"], 0) == "image"
    assert layout.layer(members["model"], 0) == "–"


def test_memory_that_layers_share_belongs_to_them_in_turn(layout):
    shared = Member(regions.CONTEXT, "shared_0", 100, 80, 1)
    several = replace(layout, outputs=(100, 100, 140, 180), titles=("a", "b", "c", "d"))
    assert several.layer(shared, 0) == "layers 1 and 3, in turn"
    assert several.layer(replace(shared, start=140, bytes=40), 0) == "3: c"


def test_bytes_of_a_region():
    region = Region("weights", False, True, (Member("c", "a", 0, 4, 1), Member("c", "b", 100, 8, 1)))
    assert region.at(3) == (region.members[0], 3)
    assert region.at(4) == (region.members[1], 0)
    with pytest.raises(IndexError):
        region.at(12)


def test_the_layout_of_a_real_engine(harness, exported):
    layout, _ = harness
    rows = exported.report["rows"]
    sizes = {True: 0, False: 0}
    for region in layout.regions:
        if "," not in region.name:
            sizes[region.is_always] += region.bits // 8
    assert sizes == {True: rows["constants_bytes"], False: rows["context_bytes"] + rows["scratch_bytes"]["portable"]}
    assert {"other constants", "other state"} & {region.name for region in layout.regions} == set()
    assert len(layout.steps) + layout.rows == rows["steps"]
    assert layout.steps[0] == Step(row=1, layer=1, work=7 * 4 * 27)
    assert len(layout.outputs) == len(layout.titles) == len({step.layer for step in layout.steps})
