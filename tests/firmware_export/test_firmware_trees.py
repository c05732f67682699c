"""A consumer's tree takes exported folders in, and builds and runs them: plain CMake, gcc and clang, sanitizers."""

import shutil
import struct
import subprocess
from pathlib import Path

import exporting
import host_compiler
import model_surgery
import pytest
import rows_runner
from int8_graphs import GraphBuilder

from firmware_export.output import build_systems

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cmake") is None, reason="no CMake: apt-get install cmake"),
]


def _export(model, folder, **options):
    command = "python -m firmware_export model.tflite --out firmware"
    exporting.export(model, folder, images=None, command=command, formats=list(build_systems.FORMATS), **options)
    return folder


@pytest.fixture(scope="module")
def folder(one_convolution, tmp_path_factory):
    """For TensorFlow Lite Micro, with the metadata of every build system."""
    return _export(one_convolution, tmp_path_factory.mktemp("tree") / "firmware")


@pytest.fixture(scope="module")
def rows_folder(one_convolution, tmp_path_factory):
    """The same for the row engine alone."""
    return _export(one_convolution, tmp_path_factory.mktemp("rows") / "firmware", engine="rows")


TESTS = Path(__file__).parent
# How a firmware tree takes the folder in, by build system; Zephyr and ESP-IDF are stood for by the functions of theirs
# that the folder's files call.
ZEPHYR = """
        macro(zephyr_library_named name)
          set(library ${name})
          add_library(${name} STATIC)
          target_link_libraries(${name} PUBLIC ${zephyr_libraries})
        endmacro()
        macro(zephyr_library_sources)
          target_sources(${library} PRIVATE ${ARGN})
        endmacro()
        macro(zephyr_include_directories)
          target_include_directories(${library} PUBLIC ${ARGN})
        endmacro()
"""
ADOPTIONS = {
    "cmake": """
        set(TFLITE_MICRO_TARGET tflm)
        target_include_directories(tflm INTERFACE @TFLM@)
        add_subdirectory(@FIRMWARE@ firmware)
    """,
    "zephyr": ZEPHYR
    + """
        set(CONFIG_STUDENT_MODEL y)
        set(zephyr_libraries tflm)
        target_include_directories(tflm SYSTEM INTERFACE @TFLM@)
        target_compile_features(tflm INTERFACE cxx_std_17)
        add_subdirectory(@FIRMWARE@/zephyr firmware)
    """,
    "esp-idf": """
        set(ESP_PLATFORM 1)
        target_include_directories(tflm SYSTEM INTERFACE @TFLM@)
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
@ADOPTION@
add_executable(classifier_checks @TESTS@/tflm/classifier_checks.cc)
target_compile_definitions(classifier_checks PRIVATE MODEL_SYMBOL=g_student_model_data OPERATORS=1 INT8_OPERATORS=1)
add_executable(integrity @TESTS@/tflm/integrity_harness.cc)
target_compile_definitions(
  integrity PRIVATE NAMESPACE=student_model SYMBOL=g_student_model_data SYMBOL_SIZE=g_student_model_data_size)
foreach(program classifier_checks integrity)
  target_link_libraries(${program} PRIVATE student_model)
endforeach()
"""


@pytest.mark.parametrize(
    ("adoption", "cxx"), [("cmake", "g++"), ("cmake", "clang++"), ("zephyr", "g++"), ("esp-idf", "g++")]
)
def test_a_tree_builds_and_runs_the_folder(adoption, cxx, folder, tflm_interface, tmp_path):
    before = sorted(folder.rglob("*"))
    text = TREE.replace("@ADOPTION@", ADOPTIONS[adoption])
    _build(tmp_path, text, {"@FIRMWARE@": folder, "@TFLM@": tflm_interface, "@TESTS@": TESTS}, cxx=cxx)
    assert _call(tmp_path, "out/classifier_checks") == b"0 failures\n"
    model = (folder / "model.tflite").read_bytes()
    damaged = model[:-1] + bytes([model[-1] ^ 1])
    questions = b"".join(b"v" + struct.pack("=II", 0, len(bytes_)) + bytes_ for bytes_ in (model, damaged))
    assert _call(tmp_path, "out/integrity", questions=questions) == b"0\n7\n"  # Status::kOk, Status::kCrcMismatch
    assert sorted(folder.rglob("*")) == before


ROWS_ADOPTIONS = {
    "cmake": "add_subdirectory(@FIRMWARE@ firmware)",
    "zephyr": ZEPHYR
    + """
        set(CONFIG_SATKD_MODEL y)
        add_subdirectory(@FIRMWARE@/zephyr firmware)
        target_link_libraries(satkd_model PUBLIC satkd_engine) # Zephyr links every library into the application
    """,
    "esp-idf": """
        set(ESP_PLATFORM 1)
        function(idf_component_register)
          cmake_parse_arguments(ARG "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
          if(ARG_UNPARSED_ARGUMENTS)
            message(FATAL_ERROR "more than was expected: ${ARG_UNPARSED_ARGUMENTS}")
          endif()
          list(TRANSFORM ARG_INCLUDE_DIRS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
          add_library(satkd_model STATIC ${ARG_SRCS})
          target_include_directories(satkd_model PUBLIC ${ARG_INCLUDE_DIRS})
        endfunction()
        add_subdirectory(@FIRMWARE@ firmware)
    """,
}
ROWS_TREE = """
cmake_minimum_required(VERSION 3.16)
project(tree LANGUAGES C)
@ADOPTION@
add_executable(program main.c)
target_link_libraries(program PRIVATE satkd_model)
"""
ROWS_MAIN = """
#include "satkd_golden.h"
int main(void) {
  static satkd_context context;
  return satkd_verify() != SATKD_OK ? 1 : satkd_self_test(&context, sizeof context) != SATKD_OK ? 2 : 0;
}
"""


@pytest.mark.parametrize(
    ("adoption", "cc"), [("cmake", "gcc"), ("cmake", "clang"), ("zephyr", "gcc"), ("esp-idf", "gcc")]
)
def test_the_row_engine_needs_a_c_compiler_alone(adoption, cc, rows_folder, tmp_path):
    (tmp_path / "main.c").write_text(ROWS_MAIN)
    text = ROWS_TREE.replace("@ADOPTION@", ROWS_ADOPTIONS[adoption])
    _build(tmp_path, text, {"@FIRMWARE@": rows_folder}, cc=cc, cxx="no-such-compiler")
    _call(tmp_path, "out/program")


BOTH_TREE = """
cmake_minimum_required(VERSION 3.16)
project(tree LANGUAGES C CXX)
add_library(tflm INTERFACE)
target_include_directories(tflm INTERFACE @TFLM@)
set(TFLITE_MICRO_TARGET tflm)
add_subdirectory(@FIRST@ first)
add_subdirectory(@SECOND@ second)
add_executable(program @MAIN@)
target_link_libraries(program PRIVATE @LIBRARIES@)
"""


@pytest.mark.parametrize(("cc", "cxx"), [("gcc", "g++"), ("clang", "clang++")])
def test_two_models_in_the_row_engine(cc, cxx, one_convolution, tmp_path):
    """Both in work at the same time in one program, each with TFLM's answers to its own images."""
    builder = GraphBuilder(seed=2)
    given = builder.activation((1, 9, 7, 3), (1 / 255, -128))
    x = builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "RELU")
    x = builder.add(x, builder.convolution(x, 4, (3, 3), (1, 1), "SAME", "NONE", multiplier=1), "NONE")
    other = builder.model(given, builder.dense(builder.mean(x), 5, "NONE"))
    cloud = _export(one_convolution, tmp_path / "cloud", engine="rows", engine_prefix="cloud")
    ship = _export(other, tmp_path / "ship", engine="rows", engine_prefix="ship_2")
    text = BOTH_TREE.replace("@MAIN@", f"{TESTS}/trees/two_rows.c").replace("@LIBRARIES@", "cloud_model ship_2_model")
    _build(tmp_path, text, {"@FIRST@": cloud, "@SECOND@": ship, "@TFLM@": tmp_path}, cc=cc, cxx=cxx)
    _call(tmp_path, "out/program")


@pytest.mark.parametrize(("cc", "cxx"), [("gcc", "g++"), ("clang", "clang++")])
def test_two_models_in_both_engines(cc, cxx, tflm_interface, tmp_path):
    """Two whole folders in one program, told apart by --symbol and --engine-prefix."""
    names = ("cloud", "ship")
    folders = [
        _export(
            model_surgery.one_convolution(seed),
            tmp_path / f"{name}_folder",
            engine="both",
            symbol=f"g_{name}_data",
            engine_prefix=f"{name}_rows",
        )
        for seed, name in enumerate(names)
    ]
    libraries = " ".join(f"{name} {name}_rows_model" for name in names)
    text = BOTH_TREE.replace("@MAIN@", f"{TESTS}/trees/two_models.cc").replace("@LIBRARIES@", libraries)
    text += "target_include_directories(program PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})\n"
    _build(tmp_path, text, {"@FIRST@": folders[0], "@SECOND@": folders[1], "@TFLM@": tflm_interface}, cc=cc, cxx=cxx)
    _call(tmp_path, "out/program")


def _build(folder, text, places, cc="gcc", cxx="g++"):
    """Configure and build a tree under warnings as errors and, where they are installed, the sanitizers."""
    needed = (cc, cxx) if "CXX" in text.partition("LANGUAGES")[2].partition(")")[0] else (cc,)
    for compiler in needed:
        if shutil.which(compiler) is None:
            pytest.skip(f"no {compiler}: apt-get install {'clang' if 'clang' in compiler else 'g++'}")
    for name, path in places.items():
        text = text.replace(name, str(path))
    (folder / "CMakeLists.txt").write_text(text)
    has_sanitizers = set(host_compiler.SANITIZERS) <= set(host_compiler.flags(needed[-1]))
    flags = {
        "C": (*rows_runner.WARNINGS, "-O1", "-g", *(host_compiler.SANITIZERS if has_sanitizers else ())),
        "CXX": host_compiler.flags(cxx) if cxx in needed else (),
    }
    options = [f"-DCMAKE_{language}_FLAGS={' '.join(words)}" for language, words in flags.items()]
    compilers = [f"-DCMAKE_C_COMPILER={cc}", f"-DCMAKE_CXX_COMPILER={cxx}"]
    _call(folder, "cmake", "-S", ".", "-B", "out", *compilers, *options)
    _call(folder, "cmake", "--build", "out")


def _call(folder, *command, questions=None):
    done = subprocess.run(command, cwd=folder, input=questions, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout
