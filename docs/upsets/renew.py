"""`python docs/upsets/renew.py EuroSAT_RGB.zip`: flip bits in the shipped int8 students, and renew their tables.

It exports each for both engines, runs `python -m firmware_export.upsets` on images of the archive, writes the results
beside this file, and the tables of `docs/upsets.md`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from firmware_export.common.files import read_text, write_json, write_text
from firmware_export.common.tables import markdown_table, with_measured
from firmware_export.upsets import rates, tables
from firmware_export.upsets.campaign import RegionResult, region_from_dict

HERE = Path(__file__).parent
PAGE = HERE.parent / "upsets.md"
MODELS = {"ResNet8": "resnet8_eurosat_int8", "ResNet16": "resnet16_eurosat_int8"}
"""Shipped models by name; `FILE.json` holds their results."""
SAMPLES = ("--samples", "2000", "--slow-samples", "150")
EXAMPLE = rates.Mission(upsets_per_bit_day=1e-7, images_per_day=1000, seconds_per_image=1)
"""Round figures, which are those of no orbit or part."""
BOUND = 1.0
"""Wrong answers a year."""


def results() -> dict[str, dict[str, Any]]:
    """The results of each model, by its name."""
    return {name: json.loads(read_text(HERE / f"{file}.json")) for name, file in MODELS.items()}


def renewed(page: str, found: dict[str, dict[str, Any]]) -> str:
    """The page with what was measured between its markers.

    Args:
        page: the text of `docs/upsets.md`.
        found: as `results` returns it.
    """
    return with_measured(page, "\n\n".join(part for name, result in found.items() for part in _parts(name, result)))


def _parts(name: str, result: dict[str, Any]) -> list[str]:
    folder = result["folders"][0]
    regions = [region_from_dict(region) for region in folder["regions"]]
    parts = [
        f"### {name}\n\nSHA-256 `{folder['sha256'][:16]}…`, {folder['images']} images of EuroSAT, "
        f"`--samples {result['samples']} --slow-samples {result['slow_samples']} --seed {result['seed']}`."
    ]
    for engine in dict.fromkeys(region.engine for region in regions):
        table = tables.by_region(regions, engine)
        parts += [f"{table.caption}", markdown_table(table.headings, table.rows), _example(regions, engine)]
    return parts


def _example(regions: list[RegionResult], engine: str) -> str:
    of_engine = [region for region in regions if region.engine == engine]
    usual, highest = (
        rates.rates([exposure for exposure in exposures if exposure is not None], EXAMPLE)
        for exposures in ([r.exposure for r in of_engine], [r.highest_exposure for r in of_engine])
    )
    daily, images = (
        f"{tables.number(a)} ({tables.number(b)})"
        for a, b in ((usual.constants_per_period_day, highest.constants_per_period_day), (usual.images, highest.images))
    )
    during = f", and {images} by flips during images" if highest.images else ""
    periods = f"{tables.period(usual.period_for(BOUND))} ({tables.period(highest.period_for(BOUND))})"
    return (
        f"With the example's figures: {daily} wrong answers a year for each day of the scrub period{during}. "
        f"For at most {BOUND:g} wrong answer a year: a scrub period of {periods}."
    )


def _short(result: dict[str, Any]) -> dict[str, Any]:
    """Without the counts by layer and bit, which the page does not show."""
    left_out = ("layers", "places_of_bits")
    folders = [{name: value for name, value in each.items() if name not in left_out} for each in result["folders"]]
    return {**result, "folders": folders}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Flip bits in the shipped models, and renew docs/upsets.md.")
    parser.add_argument("data", help="the EuroSAT archive")
    data = parser.parse_args().data
    run = [sys.executable, "-m"]
    for file in MODELS.values():
        with tempfile.TemporaryDirectory() as name:
            folder, out = Path(name) / file, Path(name) / "upsets"
            model = HERE.parents[1] / "keras_satkd" / "pretrained" / f"{file}.tflite"
            export = ["firmware_export", str(model), "--out", str(folder), "--engine", "both", "--images", data]
            subprocess.run([*run, *export], check=True)
            campaign = ["firmware_export.upsets", str(folder), "--images", data, "--out", str(out), *SAMPLES]
            subprocess.run([*run, *campaign], check=True)
            write_json(HERE / f"{file}.json", _short(json.loads(read_text(out / "upsets.json"))))
    write_text(PAGE, renewed(read_text(PAGE), results()))


if __name__ == "__main__":
    main()
