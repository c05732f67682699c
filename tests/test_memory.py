"""The memory of a training does not grow with its images: a set of 20,000 tiles takes no more than one of 2,000."""

import pytest
from memory_trial import in_new_process, make_tiles

SIZE = 64
FEW, MANY = 2_000, 20_000
LARGER_MIB = (MANY - FEW) * SIZE * SIZE * 3 >> 20
ALLOWED_MIB = 60


@pytest.mark.slow
def test_memory_is_flat(tmp_path):
    few, many = ({}, {})
    for number, found in ((FEW, few), (MANY, many)):
        make_tiles(tmp_path / f"{number}.npz", number, SIZE)
        found |= in_new_process(tmp_path / f"{number}.npz", SIZE, tmp_path / "cache", held=1)
    growth = {stage: many[stage] - few[stage] for stage in ("read", "checked", "trained", "evaluated")}
    assert max(growth.values()) < ALLOWED_MIB < LARGER_MIB / 3, growth
