"""The metadata as parsers of the build systems read them: kconfiglib, PlatformIO's and ESP-IDF's own."""

import dataclasses
import json
import re

import jsonschema
import kconfiglib
import pytest
import yaml
from idf_component_tools.manager import ManifestManager
from platformio.package.manifest.parser import ManifestParserFactory
from platformio.package.manifest.schema import ManifestSchema

import firmware_export
from firmware_export.common.errors import UserError
from firmware_export.output import build_systems
from firmware_export.tflm import classifier

TFLM = build_systems.Library(
    name="student_model",
    version="0.1.0",
    provenance="keras_satkd 0.1.0, model SHA-256 12ab, made by python -m firmware_export 'my \"student\".tflite'",
    sources=("classifier.cc", "model_data.cc"),
    rows_name="satkd_model",
    rows_sources=(),
    engine_sources=(),
    headers=("student_model_classifier.h",),
)
BOTH = dataclasses.replace(
    TFLM,
    rows_sources=("satkd_golden.c", "satkd_model.c"),
    engine_sources=("satkd_engine.c", "satkd_engine_layers.c"),
    headers=(*TFLM.headers, "satkd_model.h"),
)
ROWS = dataclasses.replace(BOTH, name="satkd_model", sources=(), headers=("satkd_model.h",))
LIBRARIES = {"tflm": TFLM, "rows": ROWS, "both": BOTH}
ARDUINO_CATEGORIES = (
    *("Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage"),
    *("Data Processing", "Other"),
)
# The part of Zephyr's scripts/zephyr_module.py that this file uses; any other key is a mistake there, too.
ZEPHYR_MODULE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "build": {
            "type": "object",
            "properties": {"cmake": {"type": "string"}, "kconfig": {"type": "string"}},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


@pytest.fixture(params=LIBRARIES)
def library(request):
    return LIBRARIES[request.param]


@pytest.fixture
def folder(library, tmp_path):
    """The metadata of all build systems on disk."""
    for name, text in build_systems.render(list(build_systems.FORMATS), library).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_format_has_files_of_its_own_or_shares_them(library):
    for name in build_systems.FORMATS:
        files = build_systems.render([name], library)
        assert set(files) == set(build_systems.FORMATS[name])
        for text in files.values():
            assert "keras_satkd 0.1.0, model SHA-256 12ab, made by" in text
            assert text.endswith("\n")
    everything = build_systems.render(list(build_systems.FORMATS), library)
    assert len(everything) == 7


def test_unknown_format():
    with pytest.raises(UserError, match="did you mean 'zephyr'"):
        build_systems.render(["zephir"], TFLM)


def test_the_row_engine_alone_asks_for_nothing():
    rows = dataclasses.replace(ROWS, provenance="a command")  # which may name a .tflite
    for text in build_systems.render(list(build_systems.FORMATS), rows).values():
        assert not re.search(r"tensorflow|tflite|cxx|c\+\+|cpp", text, re.IGNORECASE), text


def test_platformio_reads_its_manifest_and_arduinos(folder, library):
    for name in ("library.json", "library.properties"):
        read = ManifestSchema().load_manifest(ManifestParserFactory.new_from_file(str(folder / name)).as_dict())
        assert (read["name"], read["version"]) == (library.name, "0.1.0")
        assert read["description"].startswith(library.summary)
        assert tuple(read["headers"]) == library.headers


def test_arduinos_own_rules(folder, library):
    """The library specification's, where PlatformIO is laxer."""
    properties = dict(line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines())
    assert {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"} <= set(properties)
    assert re.fullmatch(r"[A-Za-z0-9][\w .-]{0,62}", properties["name"])
    assert properties["category"] in ARDUINO_CATEGORIES
    assert tuple(properties["includes"].split(",")) == library.headers


def test_esp_idfs_component_manager_reads_the_component(folder, library):
    read = ManifestManager(str(folder), library.name).validate().load()
    assert str(read.version) == "0.1.0"
    assert read.description == library.summary
    assert set(read.dependencies) == {"idf"} | ({"espressif/esp-tflite-micro"} if library.sources else set())


@pytest.mark.parametrize("has_tflm", [False, True])
def test_kconfig_offers_each_engine_where_it_can_be_built(folder, library, has_tflm):
    tree = 'config CPP\n\tbool "C++"\nconfig TENSORFLOW_LITE_MICRO\n\tbool "TFLM"\n'
    (folder / "Kconfig").write_text(f'{tree}source "{folder}/zephyr/Kconfig"\n')
    kconfig = kconfiglib.Kconfig(str(folder / "Kconfig"), warn_to_stderr=False)
    for name in ("CPP", "TENSORFLOW_LITE_MICRO"):
        assert kconfig.syms[name].set_value(2 if has_tflm else 0)
    offered = {"STUDENT_MODEL": bool(library.sources), "SATKD_MODEL": bool(library.rows_sources)}
    for name, is_there in offered.items():
        assert (name in kconfig.syms and bool(kconfig.syms[name].nodes)) == is_there
        if is_there:
            kconfig.syms[name].set_value(2)
            assert kconfig.syms[name].str_value == ("y" if has_tflm or name == "SATKD_MODEL" else "n")
    assert kconfig.warnings == []


def test_zephyr_finds_what_the_module_names(folder, library):
    module = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    jsonschema.validate(module, ZEPHYR_MODULE)
    assert module["name"] == library.name
    assert (folder / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (folder / module["build"]["kconfig"]).is_file()


def test_a_long_command_is_cut_where_there_is_a_limit():
    long = dataclasses.replace(TFLM, provenance=TFLM.provenance + " name" * 300)
    described = json.loads(build_systems.render(["platformio"], long)["library.json"])
    assert len(described["description"]) == 1000  # PlatformIO's limit
    assert "SHA-256 12ab" in described["description"]


def test_library_of_an_export(facts):
    files = ("classifier.cc", classifier.header(facts.symbol), "model_data.cc", "model_data.h", "cloud_model.c")
    texts = dict.fromkeys((*files, "cloud_model.h"), "")
    both = build_systems.library(facts, texts, "cloud")
    assert (both.name, both.rows_name) == ("student_model", "cloud_model")
    assert (both.sources, both.rows_sources) == (("classifier.cc", "model_data.cc"), ("cloud_model.c",))
    assert both.headers == (classifier.header(facts.symbol), "cloud_model.h")
    rows = build_systems.library(facts, {"cloud_model.c": ""}, "cloud")
    assert (rows.name, rows.sources, rows.headers) == ("cloud_model", (), ("cloud_model.h",))


def test_two_libraries_of_one_name_are_refused(facts):
    texts = {"classifier.cc": "", "student_model.c": ""}
    with pytest.raises(UserError, match=r"engine prefix 'student' both name a library student_model"):
        build_systems.library(facts, texts, "student")


def test_a_line_break_in_the_command_ends_no_comment(facts):
    broken = dataclasses.replace(facts, command="python -m firmware_export m.tflite --class-names 'a\nconfig EVIL'")
    library = build_systems.library(broken, {"classifier.cc": ""}, "satkd")
    for text in build_systems.render(list(build_systems.FORMATS), library).values():
        assert "config EVIL" in text
        assert "\nconfig EVIL" not in text


@pytest.mark.parametrize("version", ["0.2", "1.2.3rc1", "(not installed)"])
def test_versions_are_three_numbers(facts, monkeypatch, version):
    monkeypatch.setattr(firmware_export, "__version__", version)
    library = build_systems.library(facts, {"classifier.cc": ""}, "satkd")
    assert library.version == {"0.2": "0.2.0", "1.2.3rc1": "1.2.3"}.get(version, "0.0.0")
