"""A memory plan in a `.tflite`: the metadata entry `OfflineMemoryAllocation`.

Its buffer holds little-endian int32 words: version, number of subgraphs, number of tensors, then an offset for each
tensor (TFLM, `micro/docs/memory_management.md`, "Offline planned tensor allocations").
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from firmware_export.tflite.model import Model

METADATA_NAME = "OfflineMemoryAllocation"
"""`kOfflineMemAllocMetadata` in `micro/micro_allocation_info.cc`."""
ONLINE_PLANNED = -1
"""`kOnlinePlannedBuffer` in `micro/memory_planner/greedy_memory_planner.h`: TFLM places this tensor itself."""

_FORMAT_VERSION = 1
_HEADER_WORDS = 3


def read_offsets(content: bytes, tensors: int) -> tuple[int, ...] | None:
    """The offsets of a plan, in bytes, one for each tensor; None if the content is no plan for so many tensors."""
    if len(content) != 4 * (_HEADER_WORDS + tensors):
        return None
    words = tuple(map(int, np.frombuffer(content, "<i4")))
    return words[_HEADER_WORDS:] if words[_HEADER_WORDS - 1] == tensors else None


def with_offsets(model: Model, offsets: Sequence[int]) -> Model:
    """The same model with a plan, in place of any that it had.

    Args:
        model: has one subgraph.
        offsets: bytes from the start of the arena, one for each tensor, or `ONLINE_PLANNED`.
    """
    # TFLM reads only the number of tensors and the offsets.
    words = np.array([_FORMAT_VERSION, 1, len(offsets), *offsets], "<i4")

    def put_in(unpacked: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        data = np.frombuffer(words.tobytes(), np.uint8)
        present = _entries(unpacked)
        if present:
            unpacked.buffers[present[0].buffer].data = data
            unpacked.metadata = [entry for entry in unpacked.metadata if entry not in present[1:]]
        else:
            unpacked.buffers.append(schema.BufferT(data=data))
            entry = schema.MetadataT(name=METADATA_NAME, buffer=len(unpacked.buffers) - 1)
            unpacked.metadata = [*(unpacked.metadata or []), entry]

    return model.edited(put_in)


def without_plan(model: Model) -> Model:
    """The same model, tensor indices included, without a plan; the model itself if it has none."""
    if not _entries(model):
        return model

    def take_out(unpacked: Any) -> None:
        present = _entries(unpacked)
        unpacked.metadata = [entry for entry in unpacked.metadata if entry not in present]
        for entry in present:
            unpacked.buffers[entry.buffer].data = None

    return model.edited(take_out)


def _entries(holder: Any) -> list[Any]:
    """The metadata entries of a `Model`, or of its object form, that are a plan."""
    return [entry for entry in holder.metadata or [] if entry.name == METADATA_NAME.encode()]
