"""The report of a campaign: JSON, Markdown, HTML, and a table on the terminal."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from firmware_export.common.tables import markdown_table, terminal_table
from firmware_export.common.templating import render_template
from firmware_export.facts import package_version
from firmware_export.upsets import campaign, tables
from firmware_export.upsets.campaign import FolderResult, Settings
from firmware_export.upsets.outcomes import ORDER
from firmware_export.upsets.rates import Mission
from firmware_export.upsets.sampling import CONFIDENCE
from firmware_export.upsets.tables import Table

COLORS = ("#dde3e8", "#e69f00", "#d55e00", "#56b4e9", "#000000", "#cc79a7")
"""Of the outcomes, in order; color-blind readers can distinguish them."""


@dataclass(frozen=True)
class Report:
    """Results of one or more folders, and the mission for which rates are stated."""

    results: Sequence[FolderResult]
    settings: Settings
    mission: Mission | None

    @property
    def tables(self) -> list[tuple[FolderResult, list[Table]]]:
        """The tables of each folder."""
        found = []
        for result in self.results:
            of_engine = [
                table
                for engine in result.engines
                for table in (
                    tables.by_region(result.regions, engine),
                    tables.by_layer(result, engine),
                    tables.by_bit(result, engine),
                )
                if table is not None
            ]
            found.append((result, of_engine))
        return found

    @property
    def comparison(self) -> Table:
        """One table for all folders."""
        return tables.comparison(self.results, self.mission)

    def as_dict(self) -> dict[str, Any]:
        """The content of `upsets.json`."""
        return {
            "version": package_version(),
            "seed": self.settings.seed,
            "samples": self.settings.samples,
            "slow_samples": self.settings.slow_samples,
            "confidence": CONFIDENCE,
            "mission": None if self.mission is None else asdict(self.mission),
            "folders": [{**campaign.as_dict(result), "rates": self._rates(result)} for result in self.results],
        }

    def _rates(self, result: FolderResult) -> dict[str, Any] | None:
        if self.mission is None:
            return None
        found = {}
        for engine in result.engines:
            usual, highest = tables.both_rates(result, engine, self.mission)
            found[engine] = {
                "wrong_a_year_per_day_of_scrub_period": [
                    usual.constants_per_period_day,
                    highest.constants_per_period_day,
                ],
                "wrong_a_year_during_images": [usual.images, highest.images],
            }
        return found

    def markdown(self) -> str:
        """The text of `upsets.md`."""
        return render_template("upsets/report.md", {**self._context(), "markdown_table": markdown_table})

    def html(self) -> str:
        """The text of `upsets.html`: one page without scripts or other files."""
        bars = [(result, [(region, _bar(region)) for region in result.regions]) for result in self.results]
        legend = list(zip(map(str, ORDER), COLORS, strict=True))
        return render_template(
            "upsets/report.html", {**self._context(), "bars": dict(_by_name(bars)), "legend": legend}
        )

    def _context(self) -> dict[str, Any]:
        return {
            "version": package_version(),
            "settings": self.settings,
            "mission": self.mission,
            "comparison": self.comparison,
            "folders": self.tables,
            "confidence": f"{100 * CONFIDENCE:g} %",
        }

    def print(self) -> None:
        """Print the comparison."""
        table = self.comparison
        console = Console(highlight=False)
        # Wider than a narrow terminal rather than with a letter a line in the first column.
        widths = (max(map(len, column)) + 3 for column in zip(table.headings, *table.rows, strict=True))
        console.width = max(console.width, sum(widths) + 1)
        console.print(terminal_table(table.headings, table.rows))
        for result in self.results:
            if result.note:
                console.print(f"{result.name}: {result.note}", markup=False)


def _by_name(bars: Sequence[tuple[FolderResult, Any]]) -> list[tuple[str, Any]]:
    return [(result.name, regions) for result, regions in bars]


def _bar(region: campaign.RegionResult) -> list[tuple[str, str, str]]:
    """Color, width in percent and text of each outcome that occurred."""
    shares = [(outcome, region.tally.share(outcome)) for outcome in ORDER]
    return [
        (COLORS[position], f"{100 * share:.3f}", f"{outcome}: {tables.percent(share)}")
        for position, (outcome, share) in enumerate(shares)
        if share
    ]
