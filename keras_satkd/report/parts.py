"""The microcontrollers of a run's export: what the model needs on each, and which have room."""

from typing import Any

from firmware_export.board import timing
from keras_satkd.report import summary
from keras_satkd.run.folder import Run


def table(run: Run) -> summary.Table:
    """Listed microcontrollers, whether the model fits them in either engine, and the estimated time if counted."""
    listed = summary.firmware(run)["targets"]
    is_counted = any(part.get("rows_milliseconds") for part in listed)
    estimate = (
        " Milliseconds: an estimate for the row engine at the part's highest clock, from instructions counted in an "
        "emulator; wait states are excluded."
    )
    return summary.Table(
        "Bytes needed on each listed microcontroller with TensorFlow Lite Micro (TFLM) and with the row engine, and "
        "bytes available. Flash includes the engine's code, which is an estimate (firmware_export/board/fitting.py); "
        "the application's own memory is not included. External flash: the most that the part addresses."
        + (estimate if is_counted else ""),
        ["part", "core", "TFLM: flash", "RAM", "fits", "row engine: flash", "RAM", "fits", "flash available", "RAM"]
        + (["ms, estimated"] if is_counted else []),
        [
            [
                part["part"] + (" (asked for)" if part.get("is_asked_for") else ""),
                part["core"],
                *_engine(part),
                *(_engine(part["rows"]) if part["rows"] else ["not supported", "", "no"]),
                f"{part['flash_bytes']:,}" + (" external" if part.get("has_external_flash") else ""),
                f"{part['ram_bytes']:,}",
                *([_milliseconds(part)] if is_counted else []),
            ]
            for part in listed
        ],
    )


def _milliseconds(part: dict[str, Any]) -> str:
    time = part.get("rows_milliseconds")
    return timing.shown((time[0], time[1])) if time else "not counted"


def _engine(needs: dict[str, Any]) -> list[str]:
    return [f"{needs['flash_needed']:,}", f"{needs['ram_needed']:,}", "yes" if needs["fits"] else "no"]


def fitting(run: Run) -> dict[str, list[str]]:
    """For each engine that supports the model, the listed microcontrollers that have room."""
    listed = summary.firmware(run)["targets"]
    found = {"TensorFlow Lite Micro": [part["part"] for part in listed if part["fits"]]}
    if listed[0]["rows"]:
        found["the row engine"] = [part["part"] for part in listed if part["rows"]["fits"]]
    return found
