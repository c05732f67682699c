"""`make bench-hardening`: what each level of `--harden` costs, and what it finds.

Instructions, RAM and flash are counted in QEMU, as by `make bench-engine`. Bits are flipped on this host, in the
shipped ResNet8 and images of EuroSAT's test set, by `firmware_export/rows/upsets_harness.c`: in constants before the
image or before a step of a layer, in rows before a step, and in rows while a step is computed.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import engine_bench
import engine_models
import eurosat_archive
import numpy as np

from firmware_export.board import emulator
from firmware_export.common.harden import Harden
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import reader

HARNESS = Path(__file__).parent / "firmware_export" / "rows" / "upsets_harness.c"
RESULTS = Path(__file__).parent.parent / "docs" / "engine" / "hardening.json"
LEVELS = (Harden.CONTROL, Harden.DETECT, Harden.CORRECT)
KINDS = ("constants", "rows before a step", "rows during a step")


@dataclass(frozen=True)
class Price:
    """What a level costs on a machine."""

    harden: str
    core: str
    instructions: int
    ram_bytes: int
    flash_bytes: int
    stack_bytes: int
    stack_bound_bytes: int | None


@dataclass(frozen=True)
class Outcome:
    """What came of random flips, one in each image."""

    harden: str
    kind: str
    refused: int
    masked: int
    different: int
    """Other outputs with the same class."""
    wrong: int
    """Another class with status OK."""


def prices() -> list[Price]:
    """Of every level on every emulated core."""
    model = engine_models.SHIPPED.read_bytes()
    found = []
    for machine in emulator.MACHINES:
        for harden in LEVELS:
            with tempfile.TemporaryDirectory() as path:
                program = engine_bench.row_engine(model, Path(path), harden)
                result = engine_bench.measure(program, model, "resnet8_eurosat", machine, Path(path))
            assert result.wrong_outputs == 0
            memory = (result.working_bytes, result.flash_bytes, result.stack_bytes, result.stack_bound_bytes)
            found.append(Price(harden, result.core, result.instructions, *memory))
            print(found[-1], flush=True)
    return found


def outcomes(images: int, trials: int) -> list[Outcome]:
    """Of every level.

    Args:
        images: how many of the test set.
        trials: flips of each kind in each image.
    """
    pictures = eurosat_archive.divided().test.images[:images]
    found = []
    for harden in LEVELS:
        counts = [_run(harden, picture, i, trials) for i, picture in enumerate(pictures)]
        for kind in KINDS:
            found.append(Outcome(harden, kind, *np.sum([count[kind] for count in counts], axis=0).tolist()))
            print(found[-1], flush=True)
    return found


def _run(harden: Harden, picture: np.ndarray, seed: int, trials: int) -> dict[str, list[int]]:
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        made = compile_rows(reader.read(engine_models.SHIPPED.read_bytes()), "make bench-hardening", harden=harden)
        for name, text in made.files.items():
            (folder / name).write_text(text)
        values = ", ".join(map(str, picture.reshape(-1).tolist()))
        (folder / "image.h").write_text(f"static const uint8_t given_image[] = {{{values}}};\n")
        words = re.search(r"_WORDS_BYTES (\d+)u", made.files["satkd_model.c"])
        assert words is not None
        repairs = harden is Harden.CORRECT
        flags = [
            *("-std=c99", "-O3", "-march=native", "-DON_HOST", "-I", path, '-DIMAGE="image.h"', f"-DSEED={seed + 1}"),
            *(
                f"-DTRIALS={trials}",
                f"-DONLY_DATA={int(repairs)}",
                "-DSTRIDE=1",
                "-DREPAIR_STRIDE=1",
                f"-DWORDS_BYTES={words[1]}",
            ),
            *("-DSATKD_WATCHDOG=feed_watchdog", "-DSATKD_WRITE_WORD=write_word"),
        ]
        sources = [str(folder / name) for name in made.files if name.endswith(".c") and name != "satkd_engine.c"]
        subprocess.run(["gcc", *flags, str(HARNESS), *sources, "-o", f"{path}/upsets"], check=True)
        printed = subprocess.run([f"{path}/upsets"], check=True, capture_output=True, text=True).stdout
    lines = [line.rsplit(maxsplit=4) for line in printed.splitlines()]
    counts = {name.removesuffix(", repaired"): list(map(int, numbers)) for name, *numbers in lines}
    return {kind: counts[kind] for kind in KINDS}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found = {
        "prices": [asdict(price) for price in prices()],
        "images": arguments.images,
        "outcomes": [asdict(outcome) for outcome in outcomes(arguments.images, arguments.trials)],
    }
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
