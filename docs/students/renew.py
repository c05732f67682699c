"""`python docs/students/renew.py [NAME …]`: measure what students cost in the row engine, and renew `docs/students.md`.

Each student is built with random weights, quantized as before quantization-aware training, and compiled for the row
engine; its instructions are counted in QEMU on one image, as `python -m firmware_export.run FOLDER --count` does it;
the outputs must equal TensorFlow Lite Micro's. Costs do not depend on training, except where a large bias needs a
slower kernel. The results are kept beside this file, in `costs.json`; without names all of `STUDENTS` are measured.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from firmware_export.common.files import read_text, write_json, write_text
from firmware_export.common.tables import markdown_table, with_measured

HERE = Path(__file__).parent
PAGE = HERE.parent / "students.md"
RESULTS = HERE / "costs.json"
SIZE, BANDS, CLASSES = 64, 3, 10
COMMAND = "python docs/students/renew.py"
STUDENTS = ("resnet8", "mixer", "mixer_50k", "mixer_25k")
"""Students in the table."""


def measured(name: str) -> dict[str, Any]:
    """Costs of a student at 64×64×3 and ten classes."""
    import numpy as np
    import tf_keras

    from firmware_export.bounds.count import MACHINES, count
    from firmware_export.rows import golden
    from firmware_export.rows.compile import compile_rows
    from firmware_export.tflite.convert import quantized_aware_to_int8
    from firmware_export.tflite.reader import read
    from firmware_export.verify.golden_vectors import golden_vectors
    from keras_satkd import students
    from keras_satkd.training.qat_model import quantization_aware
    from keras_satkd.training.qat_ranges import fix_ranges

    tf_keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, BANDS), np.uint8)
    student = students.build(name, SIZE, CLASSES, channels=BANDS)
    quantized = quantization_aware(student)
    fix_ranges(quantized, student, images)
    model = read(quantized_aware_to_int8(quantized), name)
    rows = compile_rows(model, COMMAND)
    vectors = golden_vectors(model, images, count=1)
    texts = rows.files | golden.render(model, COMMAND, rows, vectors, images_are_real=False)
    counts = [
        count(texts, rows.report.layers, rows.report.prefix, machine, timeout_seconds=600) for machine in MACHINES
    ]
    return {
        "parameters": students.trainable_parameters(student),
        "macs": students.macs(student),
        "ram": rows.report.context_bytes + rows.report.scratch_bytes["dsp"],
        "constants": rows.report.constants_bytes,
        "instructions": {found.core: found.instructions for found in counts},
    }


def table(found: dict[str, Any]) -> str:
    """The results as a table."""
    headings = ["student", "parameters", "MACs", "RAM, bytes", "constants in flash, bytes"]
    headings += ["M instructions, M4", "M55"]
    rows = [
        [
            f"`{name}`",
            *(f"{number:,}" for number in (cost["parameters"], cost["macs"], cost["ram"])),
            f"{cost['constants']:,}",
            *(f"{number / 1e6:.1f}" for number in cost["instructions"].values()),
        ]
        for name, cost in found.items()
    ]
    return str(markdown_table(headings, rows))


def main() -> None:
    """Measure, and write the results and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"students to measure: {', '.join(STUDENTS)}")
    names = parser.parse_args().names or list(STUDENTS)
    before = json.loads(read_text(RESULTS)) if RESULTS.exists() else {}
    found = before | {name: measured(name) for name in names}
    found = {name: found[name] for name in STUDENTS if name in found}
    write_json(RESULTS, found)
    write_text(PAGE, with_measured(read_text(PAGE), table(found)))


if __name__ == "__main__":
    main()
