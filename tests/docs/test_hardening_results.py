"""The figures on hardening in `docs/row_engine.md` are those in `docs/engine/hardening.json`."""

import json

import pytest
from markdown_text import ROOT, text

PAGE = text(ROOT / "docs" / "row_engine.md")
FOUND = json.loads((ROOT / "docs" / "engine" / "hardening.json").read_text())
LEVELS = ("control", "detect", "correct")
PRICES = {(price["core"], price["harden"]): price for price in FOUND["prices"]}
OUTCOMES = {(outcome["kind"], outcome["harden"]): outcome for outcome in FOUND["outcomes"]}


@pytest.mark.parametrize("core", ["Cortex-M4", "Cortex-M7", "Cortex-M55"])
def test_prices(core):
    prices = [PRICES[core.lower(), harden] for harden in LEVELS]
    least = prices[0]["instructions"]
    instructions = [f"{price['instructions'] / 1e6:.1f}" for price in prices]
    more = ["", *(f" (+{100 * (price['instructions'] / least - 1):.1f} %)" for price in prices[1:])]
    rows = {
        f"M instructions, {core}": [number + extra for number, extra in zip(instructions, more, strict=True)],
        f"RAM, bytes, {core}": [f"{price['ram_bytes']:,}" for price in prices],
        f"flash, bytes, {core}": [f"{price['flash_bytes']:,}" for price in prices],
        f"stack, bytes (bound), {core}": [f"{price['stack_bytes']} ({price['stack_bound_bytes']})" for price in prices],
    }
    for name, cells in rows.items():
        if core == "Cortex-M4" or name.startswith("M instructions"):
            assert f"| {name} | {' | '.join(cells)} |" in PAGE


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in OUTCOMES}))
def test_outcomes(kind):
    cells = []
    for harden in LEVELS:
        outcome = OUTCOMES[kind, harden]
        flips = sum(outcome[name] for name in ("refused", "masked", "different", "wrong"))
        cells.append(f"{outcome['refused']} / {outcome['different']} / {outcome['wrong']} of {flips}")
    assert f"| {kind} | {' | '.join(cells)} |" in PAGE
