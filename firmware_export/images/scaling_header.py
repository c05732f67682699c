"""The C of a scaling: one header for both engines, with a function from a raw sample to the model's 8-bit code."""

import textwrap

from firmware_export.common.errors import UserError
from firmware_export.common.templating import render_template
from firmware_export.images.scaling import Scaling
from firmware_export.rows.compile import provenance
from firmware_export.tflite.model import Model

_END = "_scaling.h"
_TYPES = {"uint8": "uint8_t", "uint16": "uint16_t", "float32": "float"}


def is_scaling(file: str) -> bool:
    """Whether a file of an export is a scaling's header, whatever its prefix."""
    return file.endswith(_END)


def name(prefix: str) -> str:
    """The header's file name."""
    return f"{prefix}{_END}"


def check(scaling: Scaling, model: Model) -> None:
    """Refuse a scaling of another number of channels than the model's input has, or for a model without pixels.

    Raises:
        UserError: it is such a scaling.
    """
    shape, channels = model.graph.inputs[0].shape, len(scaling.bands.names)
    if len(shape) != 4 or shape[-1] != channels:
        raise UserError(
            f"--scaling is for {channels} channels, the model's input is {list(shape)}: give the scaling.json of the "
            "model's run"
        )


def render(scaling: Scaling | None, model: Model, command: str, prefix: str) -> dict[str, str]:
    """The generated file, by name; empty without a scaling.

    Args:
        scaling: of the images that the model was trained on.
        model: the exported model.
        command: the command that regenerates the file.
        prefix: of its name and of every name in it.
    """
    if scaling is None:
        return {}
    is_float = scaling.samples == "float32"
    spans = [high - low for low, high in zip(scaling.low, scaling.high, strict=True)] if is_float else scaling.spans
    rule = (
        "code = 256 (sample - low) / (high - low), rounded down"
        if is_float
        else "code = 256 (sample - low) / (high - low + 1), rounded down"
    )
    context = {
        **provenance(model, command),
        "prefix": prefix,
        "macros": prefix.upper(),
        "rule": [f"{rule}; 0 below low and 255 above high"],
        "channels": _table(scaling),
        "reason": textwrap.fill(_printable(scaling.reason), 110, subsequent_indent="   "),
        "row_pixels": model.graph.inputs[0].shape[2],
        "type": _TYPES[scaling.samples],
        "is_float": is_float,
        "is_identity": scaling.is_identity,
        "low": _numbers(scaling.low, is_float=is_float),
        "span": _numbers(spans, is_float=is_float),
    }
    return {name(prefix): render_template("scaling/satkd_scaling.h", context)}


def _table(scaling: Scaling) -> list[str]:
    bands = scaling.bands
    return [
        f"{channel:<7}  {_printable(band):<16}  {f'{position + 1} of {bands.of}':<19}  {low:g}..{high:g}"
        for channel, (band, position, low, high) in enumerate(
            zip(bands.names, bands.positions, scaling.low, scaling.high, strict=True)
        )
    ]


def _printable(text: str) -> str:
    """A text that can be in a C comment."""
    return "".join(letter if letter.isprintable() else "?" for letter in text).replace("*/", "* /").replace("/*", "/ *")


def _numbers(values: tuple[float, ...] | list[float] | tuple[int, ...], *, is_float: bool) -> str:
    return ", ".join(repr(float(value)) if is_float else f"{int(value)}u" for value in values)
