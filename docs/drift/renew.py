"""`python docs/drift/renew.py EuroSAT_RGB.zip`: evaluate the shipped ResNet8's drift monitor, and renew its page.

It runs `python -m keras_satkd.evaluate … --drift --json` on the test images as they are, and as the sensor `healthy`
gives them, and writes the results beside this file.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware_export.common.files import read_text, write_json, write_text
from firmware_export.common.tables import markdown_table, with_measured
from keras_satkd.evaluation.drift import table

HERE = Path(__file__).parent
PAGE = HERE.parent / "drift.md"
OPTIONS: dict[str, tuple[str, ...]] = {
    "resnet8_eurosat_int8.json": (),
    "resnet8_eurosat_int8_healthy.json": ("--sensor", "healthy"),
}
"""Files of results, and the options of `evaluate` for each."""


def results() -> list[dict[str, Any]]:
    """The results in the files, in the order of `OPTIONS`."""
    return [json.loads(read_text(HERE / file)) for file in OPTIONS]


def renewed(page: str, archive: Mapping[str, Any], healthy: Mapping[str, Any]) -> str:
    """The page with what was measured between its markers.

    Args:
        page: the text of `docs/drift.md`.
        archive: the result on the archive's own images.
        healthy: the result on images as the sensor gives them.
    """
    found, behind = archive["drift"], healthy["drift"]
    measured = [
        f"The shipped int8 ResNet8 on its {found['images']:,} test images, and on {found['disturbed_images']:,} of "
        f"them disturbed; windows of {found['window']}; `--false-alarm-rate {found['false_alarm_rate']:g}`:",
        markdown_table(*table(found)),
        _summary(found),
        f"The same model behind the sensor `healthy`, whose validation images come from that sensor too "
        f"(accuracy {_percent(behind['accuracy'])}): {_summary(behind)}",
    ]
    return with_measured(page, "\n\n".join(measured))


def _summary(found: Mapping[str, Any]) -> str:
    alarms, costly = found["false_alarms"], found["detected"]["costly"]
    return (
        f"False alarms: {_percent(alarms['mixed'])} of mixed windows, {_percent(alarms['one_class'])} of windows of "
        f"one class, {_percent(alarms['worst_class'])} for the worst class. Detected, where accuracy falls by 1 point "
        f"or more: {_percent(costly['mixed'])} of mixed windows, {_percent(costly['one_class'])} of windows of one "
        "class."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the shipped drift monitor and renew docs/drift.md.")
    parser.add_argument("data", help="the EuroSAT archive")
    data = parser.parse_args().data
    for file, options in OPTIONS.items():
        model = "shipped:resnet8_eurosat_int8.tflite"
        command = [sys.executable, "-m", "keras_satkd.evaluate", model, "--data", data, "--drift", "--json", *options]
        write_json(HERE / file, json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    write_text(PAGE, renewed(read_text(PAGE), *results()))


if __name__ == "__main__":
    main()
