"""The C header that states the bounds of a model."""

import textwrap

from firmware_export.bounds.measure import SCRUB_BYTES, Bounds
from firmware_export.common.templating import render_template
from firmware_export.facts import ModelFacts
from firmware_export.rows.compile import provenance


def file_name(prefix: str) -> str:
    """The header's name.

    >>> file_name("satkd")
    'satkd_bounds.h'
    """
    return f"{prefix}_bounds.h"


def render(bounds: Bounds, facts: ModelFacts, prefix: str) -> dict[str, str]:
    """The header by name. If nothing was measured, it states the reason and defines no macro.

    Args:
        bounds: of the model.
        facts: about the model.
        prefix: of the names in the row engine's C.
    """
    context = {
        **provenance(facts.model, facts.command),
        "bounds": bounds,
        "prefix": prefix,
        "macros": prefix.upper(),
        "core": bounds.core.upper().replace("-", "_"),
        "scrub_bytes": SCRUB_BYTES,
        "stack": max((size for name, size in (bounds.stack_bytes or {}).items() if name != "self_test"), default=0),
        "reason": _wrapped(bounds.reason or "").replace("*/", "* /"),
        "flags": _wrapped(bounds.flags or ""),
    }
    return {file_name(prefix): render_template("rows/satkd_bounds.h", context)}


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 115, subsequent_indent="       ", break_on_hyphens=False)
