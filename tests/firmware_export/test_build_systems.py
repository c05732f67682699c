import json
import shutil
import subprocess

import pytest
import yaml

from firmware_export import build_systems
from firmware_export.errors import UserError

LIBRARY = build_systems.Library(
    name="student_model",
    version="0.1.0",
    summary="A resnet8 for TensorFlow Lite Micro.",
    provenance="python -m firmware_export 'my \"student\".tflite' --out firmware, model SHA-256 12ab",
    sources=("model_data.cc", "integrity.cc"),
)


def test_every_format_has_files_of_its_own_or_shares_them():
    for name in build_systems.FORMATS:
        files = build_systems.render([name], LIBRARY)
        assert set(files) == set(build_systems.FORMATS[name])
        for text in files.values():
            assert "SHA-256 12ab" in text
            assert text.endswith("\n")
    everything = build_systems.render(list(build_systems.FORMATS), LIBRARY)
    assert len(everything) == 7


def test_unknown_format():
    with pytest.raises(UserError, match="did you mean 'zephyr'"):
        build_systems.render(["zephir"], LIBRARY)


def test_files_are_what_their_readers_parse():
    files = build_systems.render(list(build_systems.FORMATS), LIBRARY)
    module = yaml.safe_load(files["zephyr/module.yml"])
    assert module == {"name": "student_model", "build": {"cmake": "zephyr", "kconfig": "zephyr/Kconfig"}}
    component = yaml.safe_load(files["idf_component.yml"])
    assert component["dependencies"]["espressif/esp-tflite-micro"] == "*"
    described = json.loads(files["library.json"])
    assert described["name"] == "student_model"
    assert LIBRARY.provenance in described["description"]
    properties = dict(line.split("=", 1) for line in files["library.properties"].splitlines())
    assert {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"} <= set(properties)
    assert files["zephyr/Kconfig"].splitlines()[1:3] == [
        "config STUDENT_MODEL",
        '\tbool "A resnet8 for TensorFlow Lite Micro."',
    ]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cmake") is None, reason="no CMake: apt-get install cmake")
def test_cmake_builds_the_folder(tmp_path):
    for source in LIBRARY.sources:
        (tmp_path / source).write_text("int answer_" + source.replace(".", "_") + "() { return 42; }\n")
    (tmp_path / "CMakeLists.txt").write_text(build_systems.render(["cmake"], LIBRARY)["CMakeLists.txt"])
    for command in (["cmake", "-S", ".", "-B", "out"], ["cmake", "--build", "out"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "out" / "libstudent_model.a").stat().st_size > 0
