import os

import row_models

from firmware_export.memory.arena import least_bytes
from firmware_export.memory.arena_trials import ArenaTrials


def test_a_kernel_that_crashes_where_memory_is_short_counts_as_too_small():
    """TFLM's dense layers with a scale for each output crash in some arenas that are too small."""
    model = row_models.model(
        lambda b, x: b.dense(b.dense(b.reshape(x, (1, 64)), 32, "RELU", by_channel=True), 10, "NONE", by_channel=True),
        (1, 8, 8, 1),
    )
    smallest = least_bytes(model)
    sizes = range(smallest - 160, smallest + 64, 16)
    with ArenaTrials() as trials:
        assert [trials.fit(model, size) for size in sizes] == [size >= smallest for size in sizes]


def test_this_process_is_not_copied(qat_model, monkeypatch):
    # A copy of a process whose threads hold locks may wait for them for ever.
    monkeypatch.delattr(os, "fork")
    with ArenaTrials() as trials:
        assert [trials.fit(qat_model, size) for size in (1024, 1 << 22)] == [False, True]


def test_one_process_tries_models_in_turn(qat_model, autoencoder_model):
    smaller, larger = sorted((qat_model, autoencoder_model), key=least_bytes)
    size = least_bytes(smaller)
    with ArenaTrials() as trials:
        assert [trials.fit(model, size) for model in (smaller, larger, smaller)] == [True, False, True]
