"""The figures of `make bench-engine` in the tables of docs/row_engine.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROWS = {
    "shipped, 58.4 M MACs": ("rows", "resnet8_eurosat"),
    "1×1 shortcuts, 50.0 M MACs": ("rows", "resnet8_pointwise"),
    "the same, with a pool and a convolution at the end": ("rows", "resnet8_pointwise_average_pool"),
    "the same in bakenn 1.0.0": ("bakenn 1.0.0", "resnet8_pointwise_average_pool"),
    "the same in bakenn 1.0.0 + CMSIS-NN": ("bakenn 1.0.0 + CMSIS-NN", "resnet8_pointwise_average_pool"),
}
"""The first column of the large table -> engine and model."""
SHIPPED = ("rows", "resnet8_eurosat")
CORES = ("cortex-m4", "cortex-m7", "cortex-m55")
NAMES = ("RAM, bytes", "flash, bytes", "M instructions", "M cycles, by a model")
"""The columns of the large table that `figures` fills, and the rows of the small one."""


def millions(cycles: Sequence[int] | None) -> str:
    """Cycles in millions, as a range unless both ends are equal, or a dash.

    >>> millions([79_900_000, 79_900_000]), millions([50_400_000, 70_000_000]), millions(None)
    ('79.9', '50.4 to 70.0', '–')
    """
    return "–" if cycles is None else " to ".join(f"{end / 1e6:.1f}" for end in dict.fromkeys(cycles))


def renew(results: Mapping[str, Any], page: Path) -> None:
    """Write the measured figures into the rows of both tables; quoted rows stay."""
    found = {(each["engine"], each["model"], each["core"]): each for each in results["results"]}
    lines = page.read_text(encoding="utf-8").splitlines()
    name = ""
    for i, line in enumerate(lines):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) == 7 and cells[1].startswith("Cortex-M"):
            name = cells[0] or name
            result = found.get((*ROWS[name], cells[1].lower())) if name in ROWS else None
            if result is not None:
                stack = f"{result['stack_bytes']} ({result['stack_bound_bytes']})"
                lines[i] = _row([*cells[:2], *figures(result), stack])
        elif len(cells) == 4 and cells[0] in NAMES:
            shipped = [figures(found[*SHIPPED, core])[NAMES.index(cells[0])] for core in CORES]
            lines[i] = _row([cells[0], *shipped])
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def figures(result: Mapping[str, Any]) -> list[str]:
    """The cells of `NAMES`."""
    return [
        f"{result['working_bytes']:,}",
        f"{result['flash_bytes']:,}",
        f"{result['instructions'] / 1e6:.1f}",
        millions(result.get("cycles")),
    ]


def _row(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
