import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import host_compiler
import pytest
import yaml

from firmware_export import build_systems, export
from firmware_export.errors import UserError

LIBRARY = build_systems.Library(
    name="student_model",
    version="0.1.0",
    summary="A resnet8 for TensorFlow Lite Micro.",
    provenance="python -m firmware_export 'my \"student\".tflite' --out firmware, model SHA-256 12ab",
    sources=("model_data.cc", "integrity.cc"),
)
ARDUINO_CATEGORIES = (
    *("Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage"),
    *("Data Processing", "Other"),
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


def test_required_keys_and_what_the_tools_allow():
    """What each tool's documentation and source ask for; their own parsers have read these files once."""
    files = build_systems.render(list(build_systems.FORMATS), LIBRARY)
    # Arduino library specification; arduino-lint's schema.
    properties = dict(line.split("=", 1) for line in files["library.properties"].splitlines())
    assert re.fullmatch(r"[A-Za-z0-9][\w .-]{0,62}", properties["name"])
    assert properties["category"] in ARDUINO_CATEGORIES
    # PlatformIO's package/manifest/schema.py.
    described = json.loads(files["library.json"])
    assert not re.search(r"[:;/,@<>]", described["name"])
    assert len(described["description"]) <= 1000
    assert all(re.fullmatch(r"[a-z\d\-_+. ]+", word) for word in described["keywords"])
    # Each tool wants a version with three numbers.
    component = yaml.safe_load(files["idf_component.yml"])
    for version in (properties["version"], described["version"], component["version"]):
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert properties["includes"] == described["headers"] == "classifier.h"


@pytest.fixture(scope="module")
def folder(one_convolution, tmp_path_factory):
    """An exported folder with the metadata of every build system."""
    made = tmp_path_factory.mktemp("tree") / "firmware"
    export.export(
        one_convolution,
        made,
        images=None,
        command="python -m firmware_export model.tflite --out firmware",
        formats=list(build_systems.FORMATS),
    )
    return made


TESTS = Path(__file__).parent
# How a firmware tree takes the folder in, by build system; Zephyr and ESP-IDF are stood for by the functions of theirs
# that the folder's files call.
ADOPTIONS = {
    "cmake": """
        set(TFLITE_MICRO_TARGET tflm)
        add_subdirectory(@FIRMWARE@ firmware)
    """,
    "zephyr": """
        set(CONFIG_STUDENT_MODEL y)
        macro(zephyr_library_named name)
          set(library ${name})
          add_library(${name} STATIC)
          target_compile_features(${name} PUBLIC cxx_std_17)
          target_link_libraries(${name} PUBLIC tflm)
        endmacro()
        macro(zephyr_library_sources)
          target_sources(${library} PRIVATE ${ARGN})
        endmacro()
        macro(zephyr_include_directories)
          target_include_directories(${library} PUBLIC ${ARGN})
        endmacro()
        add_subdirectory(@FIRMWARE@/zephyr firmware)
    """,
    "esp-idf": """
        set(ESP_PLATFORM 1)
        function(idf_component_register)
          cmake_parse_arguments(ARG "" "" "SRCS;INCLUDE_DIRS;REQUIRES" ${ARGN})
          if(NOT ARG_REQUIRES STREQUAL "espressif__esp-tflite-micro")
            message(FATAL_ERROR "another name of TensorFlow Lite Micro: ${ARG_REQUIRES}")
          endif()
          list(TRANSFORM ARG_INCLUDE_DIRS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
          add_library(student_model STATIC ${ARG_SRCS})
          target_compile_features(student_model PUBLIC cxx_std_17)
          target_include_directories(student_model PUBLIC ${ARG_INCLUDE_DIRS})
          target_link_libraries(student_model PUBLIC tflm)
        endfunction()
        add_subdirectory(@FIRMWARE@ firmware)
    """,
}
TREE = """
cmake_minimum_required(VERSION 3.16)
project(tree LANGUAGES CXX)
set(CMAKE_CXX_EXTENSIONS OFF)
add_library(tflm INTERFACE)
target_include_directories(tflm INTERFACE @TFLM@)
@ADOPTION@
add_executable(classifier_checks @TESTS@/tflm/classifier_checks.cc)
target_compile_definitions(classifier_checks PRIVATE MODEL_SYMBOL=g_student_model_data OPERATORS=1)
add_executable(integrity @TESTS@/integrity_harness.cc)
target_compile_definitions(
  integrity PRIVATE NAMESPACE=student_model SYMBOL=g_student_model_data SYMBOL_SIZE=g_student_model_data_size)
foreach(program classifier_checks integrity)
  target_link_libraries(${program} PRIVATE student_model)
endforeach()
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cmake") is None, reason="no CMake: apt-get install cmake")
@pytest.mark.parametrize(
    ("adoption", "cxx"), [("cmake", "g++"), ("cmake", "clang++"), ("zephyr", "g++"), ("esp-idf", "g++")]
)
def test_a_tree_builds_and_runs_the_folder(adoption, cxx, folder, tflm_interface, tmp_path):
    if shutil.which(cxx) is None:
        pytest.skip(f"no {cxx}: apt-get install {'g++' if cxx == 'g++' else 'clang'}")
    text = TREE.replace("@ADOPTION@", ADOPTIONS[adoption])
    for name, path in (("@FIRMWARE@", folder), ("@TFLM@", tflm_interface), ("@TESTS@", TESTS)):
        text = text.replace(name, str(path))
    (tmp_path / "CMakeLists.txt").write_text(text)
    before = sorted(folder.rglob("*"))
    flags = " ".join(host_compiler.flags(cxx))
    _call(tmp_path, "cmake", "-S", ".", "-B", "out", f"-DCMAKE_CXX_COMPILER={cxx}", f"-DCMAKE_CXX_FLAGS={flags}")
    _call(tmp_path, "cmake", "--build", "out")
    assert _call(tmp_path, "out/classifier_checks") == b"0 failures\n"
    model = (folder / "model.tflite").read_bytes()
    damaged = model[:-1] + bytes([model[-1] ^ 1])
    questions = b"".join(b"v" + struct.pack("=II", 0, len(bytes_)) + bytes_ for bytes_ in (model, damaged))
    assert _call(tmp_path, "out/integrity", questions=questions) == b"0\n7\n"  # Status::kOk, Status::kCrcMismatch
    assert sorted(folder.rglob("*")) == before


def _call(folder, *command, questions=None):
    done = subprocess.run(command, cwd=folder, input=questions, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout
