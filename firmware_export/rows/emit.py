"""A model as the engine reads it: the words of its structures, each with its C text, and the bytes that they are."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from firmware_export.common.harden import Harden
from firmware_export.rows import constants as arrays
from firmware_export.rows import engine
from firmware_export.rows.constants import Constants
from firmware_export.rows.context import Context, Place
from firmware_export.rows.describe import Words, check, describe, rows
from firmware_export.rows.plan import Plan
from firmware_export.rows.ring import Ring

_WORD = 4
_SIGNED = (
    *("width", "channels", "kernel", "stride", "dilation", "pad", "path", "zero_point", "lowest", "highest"),
    *("multiplier", "shift", "codes", "scale"),
)
"""How the names of words begin that are int32_t; the others are uint32_t."""


_OWN_CHECK = ("check.low", "check.high")


@dataclass(frozen=True)
class Structure:
    """The words of one C structure, in order, with the check at its end if it has one."""

    order: Sequence[str]
    words: Words

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The value of every word."""
        given = [_value(self.words.get(name, 0)) for name in self.order if name not in _OWN_CHECK]
        return (*given, *engine.check(given)) if _OWN_CHECK[0] in self.order else tuple(given)

    @property
    def content(self) -> bytes:
        """The bytes on a little-endian part."""
        return struct.pack(f"<{len(self.values)}I", *(value & 0xFFFFFFFF for value in self.values))

    def initializers(self) -> Iterator[str]:
        """The lines of the C initializer: words that are not 0, by name."""
        texts = {
            name: word.text if isinstance(word := self.words.get(name, value), Place) else _literal(name, value)
            for name, value in zip(self.order, self.values, strict=True)
            if value
        }
        for group in dict.fromkeys(name.partition(".")[0] for name in texts):
            members = {name.partition(".")[2]: text for name, text in texts.items() if name.partition(".")[0] == group}
            if "" in members:
                yield f".{group} = {members['']},"
            elif group == "scratch_bytes":
                yield f".{group} = {{{', '.join(_scratch(self.words))}}},"
            else:
                yield f".{group} = {{{', '.join(f'.{name} = {text}' for name, text in members.items())}}},"


def _scratch(words: Words) -> list[str]:
    return [f"{_value(words[f'scratch_bytes.{kernels}'])}u" for kernels in engine.KERNELS]


def _value(word: int | Place) -> int:
    return word.value if isinstance(word, Place) else word


def _literal(name: str, value: int) -> str:
    return str(value) if name.startswith(_SIGNED) else f"{value}u"


@dataclass(frozen=True)
class Image:
    """A compiled model: all that the engine reads."""

    plan: Plan
    context: Context
    constants: Constants

    @cached_property
    def layers(self) -> tuple[Structure, ...]:
        """The layers of the network, in order."""
        network = enumerate(self.plan.network.layers, start=1)
        described = [describe(layer, position, self.context, self.constants) for position, layer in network]
        return tuple(Structure(engine.LAYER, words) for words in described)

    @cached_property
    def fills(self) -> tuple[Structure, ...]:
        """The padding of rings."""
        found = []
        for i, ring in enumerate(self.plan.rings):
            if ring.is_padded:
                words: Mapping[str, int | Place] = {
                    "start": self.context.place(f"rows_{i}"),
                    "words": ring.bytes // _WORD,
                    "layer": self._sets_padding(ring, f"rows_{i}"),
                    "codes": int.from_bytes(bytes([ring.tensor.zero_point & 0xFF] * _WORD), "little", signed=True),
                }
                found.append(Structure(engine.FILL, words))
        return tuple(found)

    def _sets_padding(self, ring: Ring, name: str) -> int:
        """The layer before whose first step a ring's padding is set; 0: when an image begins."""
        layers = enumerate(self.plan.network.layers, start=1)
        writers = [i for i, layer in layers if layer.output in ring.tensors]
        is_input = self.plan.network.input in ring.tensors
        return writers[0] if self.context.is_shared(name) and not is_input else 0

    @cached_property
    def model(self) -> Structure:
        """The words at the start of the model."""
        network = self.plan.network
        words: Words = {
            "version": Place(engine.version(), "SATKD_ENGINE_VERSION"),
            "context_bytes": self.context.bytes,
            **{f"scratch_bytes.{kernels}": size for kernels, size in self.context.scratch_bytes.items()},
            "layers": len(network.layers),
            "fills": len(self.fills),
            "schedule": self.constants.place("schedule"),
            "schedule_steps": len(self.plan.schedule),
            "schedule_bytes": arrays.schedule_bytes(self.plan),
            "has_pixels": int(network.has_pixel_input),
            **rows("input", network.input, self.context),
            "input_codes": network.input.row_codes,
            **check("schedule_check", engine.words(arrays.schedule(self.plan))),
            **check("fills_check", [value for fill in self.fills for value in fill.values]),
        }
        return Structure(engine.MODEL, words)

    @property
    def content(self) -> bytes:
        """The bytes on a little-endian part."""
        structures = b"".join(structure.content for structure in (self.model, *self.layers, *self.fills))
        return structures + self.constants.content


def image(plan: Plan, prefix: str, harden: Harden = Harden.CONTROL) -> Image:
    """Lay out a planned model.

    Args:
        plan: the rings and the schedule.
        prefix: of the C types.
        harden: the checks that the engine is to make.
    """
    layers, rings = len(plan.network.layers), plan.rings
    padded = sum(1 for ring in rings if ring.is_padded)
    start = _WORD * (len(engine.MODEL) + layers * len(engine.LAYER) + padded * len(engine.FILL))
    context = Context(plan, f"{prefix}_context", has_checks=harden.has_data_checks)
    return Image(plan, context, arrays.constants(plan, f"{prefix}_constants_t", start))
