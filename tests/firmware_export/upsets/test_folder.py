import json

import exporting
import numpy as np
import pytest
import row_models

from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.images.generated import generated_images
from firmware_export.output.folder import DIGESTS, OWN_DIGEST
from firmware_export.tflite import interpreters, reader
from firmware_export.upsets import folder


def test_a_folder(exported, exported_path):
    assert exported.engines == (Engine.TFLM, Engine.ROWS)
    assert exported.inputs.shape == (4, 9, 7, 3)
    assert exported.inputs.dtype == np.uint8
    outputs = interpreters.run(reader.read(exported.model), exported.codes)
    classes = outputs.reshape(len(outputs), -1).argmax(axis=1)
    assert tuple(classes) == tuple(exported.report["golden_vectors"]["classes"])


def test_images_of_the_users(exported_path, tmp_path):
    images = generated_images((9, 7, 3), 50)
    np.save(tmp_path / "images.npy", images)
    found = folder.read(exported_path, "x", tmp_path / "images.npy")
    assert (found.inputs.shape, found.is_golden) == ((folder.IMAGES, 9, 7, 3), False)
    assert np.array_equal(found.inputs[0], images[0])


def test_images_have_the_range_of_the_export(tmp_path):
    def build(builder, given):
        return builder.dense(builder.mean(given), 5, "NONE")

    model = row_models.model(build, (1, 9, 7, 3), quantization=(0.019, -14))
    images = generated_images((9, 7, 3), 300)
    np.save(tmp_path / "images.npy", images[: folder.IMAGES])
    exporting.export(model, tmp_path / "out", images=images, input_range="imagenet", engine="rows")
    found = folder.read(tmp_path / "out", "x", tmp_path / "images.npy")
    expected = interpreters.quantize_input(images[: folder.IMAGES], model.with_range("imagenet").graph)
    assert np.array_equal(found.codes, expected)


def test_names_are_distinct(exported_path, changed_path, tmp_path):
    other = changed_path.rename(tmp_path / "firmware")
    assert len({each.name for each in folder.read_all([exported_path, other])}) == 2


def _without_report(path):
    (path / "export.json").unlink()


def _other_model(path):
    content = (path / "model.tflite").read_bytes()
    (path / "model.tflite").write_bytes(content[:-1] + b"x")


def _other_vectors(path):
    file = path / "satkd_golden.c"
    file.write_text(file.read_text().replace("outputs[SATKD_GOLDEN_VECTORS][SATKD_OUTPUTS] = {\n    {\n", "\\g<0>9,"))


def _without_vectors(path):
    (path / "satkd_golden.c").write_text("")


def _without_count(path):
    report = json.loads((path / "export.json").read_text())
    del report["golden_vectors"]
    (path / "export.json").write_text(json.dumps(report))


def _of_an_earlier_version(change):
    """The same change in a folder without digests."""

    def changed(path):
        report = json.loads((path / "export.json").read_text())
        kept = {key: value for key, value in report.items() if key not in (DIGESTS, OWN_DIGEST)}
        (path / "export.json").write_text(json.dumps(kept))
        change(path)

    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_report, "has no export.json"),
        (_other_model, r"damaged or edited files \(model.tflite: the SHA-256"),
        (_without_count, "export.json' is damaged"),
        (_of_an_earlier_version(_other_model), "is not the model of export.json"),
        (_of_an_earlier_version(_other_vectors), "golden vectors"),
        (_of_an_earlier_version(_without_vectors), "has no golden vectors"),
        (_of_an_earlier_version(_without_count), "has no golden vectors"),
    ],
)
def test_what_is_no_export_is_refused(changed_path, change, message):
    change(changed_path)
    with pytest.raises(UserError, match=message):
        _ = folder.read(changed_path, "x").model


def test_a_folder_twice(exported_path):
    with pytest.raises(UserError, match="is given twice"):
        folder.read_all([exported_path, exported_path / "."])
