import functools
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware_export import __main__ as command_line
from firmware_export import cli
from firmware_export.common.command_line import read
from firmware_export.common.errors import UserError
from firmware_export.verify import plausibility

CASE = Path(__file__).parents[3] / "shared" / "cases" / "names_with_bom"
NAMES = ("Forest", "Straße", "Sea lake")


@pytest.fixture
def run(call_in_process):
    return functools.partial(call_in_process, command_line.main, "firmware_export")


def names_from(path, content):
    path.write_bytes(content)
    return cli._class_names((str(path),))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_class_names_are_read_from_a_file(tmp_path, encoding, line_break):
    text = line_break.join(("", *NAMES, "", ""))
    assert names_from(tmp_path / "names.txt", text.encode(encoding)) == NAMES


def test_class_names_of_the_command_line_are_taken_as_they_are():
    for given in ((), NAMES, ("Forest",)):
        assert cli._class_names(given) == given


@pytest.mark.parametrize(
    ("class_names", "quoted"),
    [
        (("-a", "b"), "--class-names=-a b"),
        (("a/b",), "--class-names a/b"),
        (("folder/-n.txt",), "--class-names ./-n.txt"),
    ],
)
def test_the_quoted_command_gives_the_same_class_names(tmp_path, monkeypatch, class_names, quoted):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "-n.txt").write_text("a\nb\n")
    arguments = cli.Arguments(Path("-m.tflite"), Path("out"), class_names=class_names)
    assert arguments.command == f"python -m firmware_export ./-m.tflite --out out {quoted}"
    again = read(cli.Arguments, "test", shlex.split(arguments.command)[3:])
    assert again.model == Path("-m.tflite")
    assert [Path(name).name for name in again.class_names] == [Path(name).name for name in class_names]


@pytest.mark.parametrize(
    ("content", "said"), [("Straße".encode("utf-16"), "is not UTF-8 text"), (b"\n \n", "is empty")]
)
def test_file_without_class_names(tmp_path, content, said):
    with pytest.raises(UserError, match=f"names.txt' {said}: give one name per line"):
        names_from(tmp_path / "names.txt", content)


@pytest.mark.skipif(not CASE.exists(), reason="the failing inputs are not at ../shared/cases")
def test_class_names_with_a_byte_order_mark_of_the_case(run, tmp_path):
    code, _, err = run(CASE / "m.tflite", "--class-names", CASE / "names_bom.txt", "--out", tmp_path / "firmware")
    assert code == 0, err
    assert json.loads((tmp_path / "firmware" / "export.json").read_text())["class_names"][0] == "Forest"
    assert '"Forest",' in (tmp_path / "firmware" / "model_data.h").read_text()


@pytest.fixture
def images(tmp_path, photos):
    """A folder of ten classes with 300 images, a broken one and what a Mac leaves behind."""
    folder = tmp_path / "images"
    for index in range(300):
        path = folder / f"class {index % 10}" / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photos[index % len(photos)]).save(path)
    (folder / "class 0" / "broken.png").write_bytes(b"no png")
    (folder / "class 0" / "._000.png").write_bytes(b"AppleDouble")
    return folder


def test_labelled_images_of_chance_stop_the_export(run, images, qat_model, tmp_path):
    (tmp_path / "student.tflite").write_bytes(qat_model.content)
    code, _, err = run(tmp_path / "student.tflite", "--out", tmp_path / "out", "--images", images)
    assert code == 2
    assert "labelled images correctly, and 10.2% would be chance" in err
    assert not (tmp_path / "out").exists()


def test_a_folder_verifies_and_validates_as_arrays_do(run, images, photos, qat_model, tmp_path, caplog, monkeypatch):
    # The student is not trained.
    monkeypatch.setattr(plausibility, "check_accuracy", lambda *given, **more: None)
    (tmp_path / "student.tflite").write_bytes(qat_model.content)
    order = sorted(range(300), key=lambda index: (index % 10, index))
    pixels = np.stack([photos[index % len(photos)] for index in order])
    np.savez(tmp_path / "labelled.npz", images=pixels, labels=np.array(order) % 10)
    np.save(tmp_path / "images.npy", photos)
    said = {}
    for name, verification, validation in (
        ("of files", images, images),
        ("of arrays", tmp_path / "images.npy", tmp_path / "labelled.npz"),
    ):
        out = tmp_path / name
        words = ("--images", verification, "--validation", validation, "--error-rate", "0.5")
        caplog.clear()
        code, _, err = run(tmp_path / "student.tflite", "--out", out, *words)
        assert code == 0, err
        assert ("1 unreadable image, the first is class 0/broken.png" in caplog.text) == (name == "of files")
        said[name] = json.loads((out / "export.json").read_text())
    assert said["of files"]["unsure"] == said["of arrays"]["unsure"]
    assert said["of files"]["images_are_real"]
    assert said["of files"]["verified_images"] == 256


def test_a_time_limit_names_the_step_and_writes_nothing(run, tmp_path, one_convolution):
    (tmp_path / "m.tflite").write_bytes(one_convolution)
    code, out, err = run(tmp_path / "m.tflite", "--out", tmp_path / "firmware", "--time-limit", "0.01")
    assert (code, out) == (2, "")
    assert err.startswith("error: --time-limit 0.01: this step did not end: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "firmware").exists()


def test_the_quoted_command_has_no_time_limit():
    arguments = read(cli.Arguments, "test", ["m.tflite", "--out", "o", "--time-limit", "5", "--target", "/a/b.toml"])
    assert arguments.command == "python -m firmware_export m.tflite --out o --target ./b.toml"
