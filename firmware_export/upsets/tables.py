"""The tables of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_export.upsets.campaign import Exposed, FolderResult, RegionResult
from firmware_export.upsets.outcomes import ORDER, Outcome, Tally
from firmware_export.upsets.rates import Mission, Rates, rates

_PRICES = {
    "rows_ram": "row engine, bytes of RAM",
    "rows_constants": "row engine, bytes of constants",
    "rows_m4_instructions": "row engine, M instructions on a Cortex-M4",
    "tflm_arena": "TFLM, bytes of arena",
    "tflm_model": "TFLM, bytes of model",
}
_CODES = ("weights", "activations")
"""How the names of regions of int8 codes end."""


@dataclass(frozen=True)
class Table:
    """Headings, rows and a caption."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(share: float) -> str:
    """A share with two digits, such as `1.3 %`; `0` and `100 %` are exact.

    >>> percent(0), percent(0.0131), percent(0.99999), percent(1)
    ('0', '1.3 %', '>99.9 %', '100 %')
    """
    if share in (0, 1):
        return "0" if share == 0 else "100 %"
    return ">99.9 %" if share > 0.9995 else f"{100 * share:.3g} %" if share >= 0.1 else f"{100 * share:.2g} %"


def with_interval(tally: Tally, outcome: Outcome) -> str:
    """A share with its 95 % interval."""
    low, high = tally.interval(outcome)
    return f"{percent(tally.share(outcome))} ({percent(low)} to {percent(high)})"


def comparison(results: Sequence[FolderResult], mission: Mission | None) -> Table:
    """A column for each folder: prices, shares of wrong answers, and wrong answers a year."""
    rows = [
        [text, *(_price(name, result.prices) for result in results)]
        for name, text in _PRICES.items()
        if any(name in result.prices for result in results)
    ]
    engines = dict.fromkeys(engine for result in results for engine in result.engines)
    for engine in engines:
        rows.append([f"{engine}: wrong class per flip of constants", *(_constants(each, engine) for each in results)])
        rows.append([f"{engine}: wrong class per flip during an image", *(_during(each, engine) for each in results)])
        if mission is not None:
            rows += _yearly(results, engine, mission)
    rows = [row for row in rows if set(row[1:]) != {"–"}]
    caption = "Shares are weighted by the bits of the regions. In parentheses: at the upper ends of the 95 % intervals."
    return Table(caption, ("", *(result.name for result in results)), tuple(map(tuple, rows)))


def _price(name: str, prices: Mapping[str, int]) -> str:
    if name not in prices:
        return "–"
    return f"{prices[name] / 1e6:.4g}" if name.endswith("instructions") else f"{prices[name]:,}"


def _constants(result: FolderResult, engine: str) -> str:
    return _weighted(result, engine, is_always=True)


def _during(result: FolderResult, engine: str) -> str:
    return _weighted(result, engine, is_always=False)


def _weighted(result: FolderResult, engine: str, *, is_always: bool) -> str:
    shares = []
    for highest in (False, True):
        found = [each for each in result.exposures(engine, highest=highest) if each.is_always is is_always]
        if not found:
            return "–"
        shares.append(sum(each.bits * each.wrong for each in found) / sum(each.bits for each in found))
    return f"{percent(shares[0])} ({percent(shares[1])})"


def both_rates(result: FolderResult, engine: str, mission: Mission) -> tuple[Rates, Rates]:
    """By the shares, and by the upper ends of their intervals."""
    usual, highest = (rates(result.exposures(engine, highest=is_highest), mission) for is_highest in (False, True))
    return usual, highest


def _yearly(results: Sequence[FolderResult], engine: str, mission: Mission) -> list[list[str]]:
    found = [both_rates(each, engine, mission) if engine in each.engines else None for each in results]

    def row(text: str, value: "object") -> list[str]:
        assert callable(value)
        return [text, *("–" if each is None else f"{value(each[0])} ({value(each[1])})" for each in found)]

    rows = [
        row(f"{engine}: wrong answers a year, never scrubbed", lambda each: number(each.without_scrubbing)),
        row(f"{engine}: the same, scrubbed every day", lambda each: number(each.with_period(1))),
    ]
    if any(each and each[1].images for each in found):
        rows.append(row(f"{engine}: of these, by flips during an image", lambda each: number(each.images)))
    if mission.bound is not None:
        bound = mission.bound
        rows.append(
            row(
                f"{engine}: scrub period for ≤ {bound:g} wrong answers a year",
                lambda each: period(each.period_for(bound)),
            )
        )
    return rows


def number(value: float) -> str:
    """Three digits.

    >>> number(0), number(0.00012345), number(12.345), number(123456)
    ('0', '0.000123', '12.3', '123,000')
    """
    if value == 0:
        return "0"
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def period(days: float | None) -> str:
    """A scrub period in the unit that suits it.

    >>> period(None), period(float("inf")), period(2.5), period(0.1), period(0.001)
    ('none', 'any', '2.5 days', '2.4 hours', '1.44 minutes')
    """
    if days is None:
        return "none"
    if days == float("inf"):
        return "any"
    for unit, length in (("days", 1.0), ("hours", 1 / 24), ("minutes", 1 / 1440), ("seconds", 1 / 86_400)):
        if days >= length or unit == "seconds":
            return f"{number(days / length)} {unit}"
    raise AssertionError(days)


def by_region(regions: Sequence[RegionResult], engine: str) -> Table:
    """A row for each region: outcomes, and what scrubbing finds."""
    rows = []
    for region in regions:
        if region.engine == engine:
            shares = [
                with_interval(region.tally, outcome)
                if outcome is Outcome.WRONG
                else percent(region.tally.share(outcome))
                for outcome in ORDER
            ]
            scrubbed = percent(region.tally.by_scrub / region.tally.injections) if region.tally.by_scrub else "–"
            kind = "" if region.exposed is not Exposed.OTHERWISE_COUNTED else " *"
            rows.append((region.name + kind, f"{region.bits:,}", str(region.tally.injections), *shares, scrubbed))
    headings = ("region", "bits", "flips", *map(str, ORDER), "found by scrub")
    return Table(f"{engine}: what came of single flipped bits.", headings, tuple(rows))


def by_layer(result: FolderResult, engine: str) -> Table | None:
    """A row for each layer, a column for each region: wrong answers of the layer's flips."""
    regions = [each.name for each in result.regions if each.engine == engine and each.name in result.layers]
    regions = [name for name in regions if any(t.counts[Outcome.WRONG] for t in result.layers[name].values())]
    layers = dict.fromkeys(layer for name in regions for layer in result.layers[name])
    if not regions:
        return None
    rows = [(layer, *(_cell(result.layers[name].get(layer)) for name in regions)) for layer in _sorted(layers)]
    caption = f"{engine}: flips that made the class wrong, by layer: count of flips of this layer's bits."
    return Table(caption, ("layer", *regions), tuple(rows))


def _sorted(layers: Mapping[str, None]) -> list[str]:
    return sorted(layers, key=lambda layer: int(layer.partition(":")[0]) if layer[0].isdigit() else 0)


def by_bit(result: FolderResult, engine: str) -> Table | None:
    """A row for each bit of an int8 code, a column for each region of codes: wrong answers of flips of this bit."""
    regions = [each.name for each in result.regions if each.engine == engine and each.name in result.bits]
    regions = [name for name in regions if name.endswith(_CODES)]
    regions = [name for name in regions if any(t.counts[Outcome.WRONG] for t in result.bits[name].values())]
    if not regions:
        return None
    rows = [
        (f"{bit}", *(_cell(result.bits[name].get(f"{bit} of 8")) for name in regions)) for bit in reversed(range(8))
    ]
    caption = f"{engine}: flips that made the class wrong, by place of the bit; 7 is the sign."
    return Table(caption, ("bit", *regions), tuple(rows))


def _cell(tally: Tally | None) -> str:
    return "–" if tally is None else f"{tally.counts[Outcome.WRONG]} of {tally.injections}"
