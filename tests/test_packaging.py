"""Build the wheel and the source archive, install the wheel into a new environment, and use it outside the repository.

The training environment uses the libraries of the current one through a `.pth` file, because installing them takes
minutes and 2.8 GB; the project itself comes only from the wheel. With `SATKD_FULL_INSTALL=1`, pip installs the
libraries too. The environment without extras, for firmware engineers, is always fully installed: 365 MB in 10 s.
"""

import email
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import firmware_export
from firmware_export.board import emulator

ROOT = Path(__file__).parents[1]
PACKAGES = ("keras_satkd", "firmware_export")
EMULATION = (emulator.COMPILER, emulator.C_COMPILER, emulator.EMULATOR)
pytestmark = pytest.mark.slow


def attempt(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`, isolated from this source tree."""
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "100"}
    return subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def run(command: list[str | Path], folder: Path) -> str:
    """Run a command that must succeed, and return its standard output."""
    done = attempt(command, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The source archive, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    source.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, source)
        elif path.name in PACKAGES:
            shutil.copytree(path, source / path.name, ignore=ignore)
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source], folder)
    return {"wheel": next(folder.glob("*.whl")), "archive": next(folder.glob("*.tar.gz"))}


@pytest.fixture(scope="module")
def programs(built, tmp_path_factory) -> Path:
    """The folder of programs of an environment with the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.EnvBuilder(symlinks=True).create(folder)
    python = folder / "bin" / "python"
    is_full = os.environ.get("SATKD_FULL_INSTALL") == "1"
    if not is_full:
        site = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
        # A path in a .pth file is searched last, and .pth files in it (such as ours, if editable) are not read.
        (Path(site) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = [] if is_full else ["--no-deps", "--no-index"]
    run([*pip_install(python), *options, f"{built['wheel']}[train]"], folder)
    return folder / "bin"


def pip_install(python: Path) -> list[str | Path]:
    """The start of a command that installs into the environment of `python`, which has no pip."""
    return [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]


@pytest.fixture(scope="module")
def base_programs(built, tmp_path_factory) -> Path:
    """The folder of programs of an environment with the wheel and its dependencies, without extras."""
    folder = tmp_path_factory.mktemp("base")
    venv.EnvBuilder(symlinks=True).create(folder)
    done = attempt([*pip_install(folder / "bin" / "python"), f"{built['wheel']}[firmware]"], folder)
    # pip prints this for every package if it cannot reach a registry.
    if "(from versions: none)" in done.stderr:
        pytest.skip("pip cannot reach a package registry, so the base dependencies cannot be installed")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture
def call(programs, tmp_path):
    """Call a program of the environment from an empty folder."""
    return lambda program, *words: run([programs / program, *words], tmp_path)


def test_wheel_and_archive_contain_every_file_of_the_packages(built):
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(built["wheel"]) as wheel:
        contained = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert contained == files
    with tarfile.open(built["archive"]) as archive:
        assert {name.partition("/")[2] for name in archive.getnames()} > files | {"README.md", "LICENSE"}


def test_one_version_everywhere(built, call):
    version = firmware_export.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", version), "valid for pip, CMake, Arduino and PlatformIO alike"
    with zipfile.ZipFile(built["wheel"]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        assert email.message_from_bytes(wheel.read(name))["Version"] == version
    code = "import importlib.metadata as m, keras_satkd as k; print(m.version('keras_satkd'), k.__version__)"
    assert call("python", "-c", code).split() == [version, version]


def test_the_packages_come_from_the_wheel(programs, call):
    code = "import keras_satkd, firmware_export; print(keras_satkd.__file__, firmware_export.__file__)"
    for file in call("python", "-c", code).split():
        assert Path(file).is_relative_to(programs.parent)


def test_every_script_is_there(programs, call):
    scripts = importlib.metadata.PathDistribution(
        next(programs.parent.rglob("keras_satkd-*.dist-info"))
    ).entry_points.select(group="console_scripts")
    assert len(scripts) >= 9
    for script in scripts:
        assert call(script.name, "--help").startswith(f"usage: {script.name} ")


def test_the_demo_runs_end_to_end(call, tmp_path):
    settings = {
        "--data.synthetic-images": 400,
        # The pretrained teacher has the synthetic classes, and needs no training.
        "--teachers.names": "efficientnet_lite0_eurosat",
        "--distillation.weighting.rule": "single",
        "--distillation.epochs": 3,
        "--distillation.views": 1,
        "--distillation.batch-size": 32,
        "--quantization.epochs": 1,
        "--quantization.batch-size": 32,
    }
    words = [str(word) for pair in settings.items() for word in pair]
    output = call("python", "-m", "keras_satkd.distill", "--config", "demo", "--workdir", "run", "--quiet", *words)
    assert "trainable parameters" in output
    for name in ("student_int8.tflite", "report.html", "model_card.md", "firmware/classifier.cc"):
        assert (tmp_path / "run" / name).stat().st_size > 0, name
    assert call("satkd-redraw", "--workdir", "run").strip() == "run/report.html"


def test_a_shipped_model_is_scored(call):
    output = call(
        "satkd-evaluate", "resnet8_eurosat_int8.tflite", "--data", "synthetic", "--synthetic-images", 100, "--json"
    )
    assert json.loads(output)["images"] == 20


@pytest.fixture(scope="module")
def base_export(base_programs, tmp_path_factory) -> Path:
    """A pretrained model, exported in the base environment for both engines."""
    folder = tmp_path_factory.mktemp("base_export")
    model = next(base_programs.parent.rglob("resnet8_eurosat_int8.tflite"))
    words = [model, "--out", "firmware", "--engine", "both", "--format", "platformio"]
    run([base_programs / "satkd-export", *words], folder)
    return folder / "firmware"


class TestBase:
    """The installation without extras, for firmware engineers."""

    def test_no_training_library_is_installed(self, base_programs, tmp_path):
        modules = ("tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "keras_cv", "matplotlib")
        code = f"from importlib.util import find_spec; print([name for name in {modules} if find_spec(name)])"
        assert run([base_programs / "python", "-c", code], tmp_path) == "[]\n"

    def test_a_model_is_exported_for_both_engines(self, base_export):
        for name in ("classifier.cc", "satkd_model.c"):
            assert (base_export / name).stat().st_size > 0, name
        library = json.loads((base_export / "library.json").read_text())
        assert library["version"] == firmware_export.__version__

    @pytest.mark.skipif(not all(map(shutil.which, EMULATION)), reason=f"{', '.join(EMULATION)} are not all installed")
    def test_the_export_runs_on_the_emulator(self, base_programs, base_export):
        output = run([base_programs / "satkd-emulate", base_export.name], base_export.parent)
        assert output.count(" checks passed\n") == 2
        assert "FAILED" not in output

    @pytest.mark.parametrize(
        "words",
        [
            ("satkd-distill", "--config", "demo", "--workdir", "run"),
            ("satkd-teach", "--config", "demo", "--workdir", "run"),
            ("satkd-quantize", "--config", "demo", "--workdir", "run"),
            ("satkd-lower", "--config", "demo", "--workdir", "run"),
            ("satkd-evaluate", "resnet8_eurosat_int8.tflite", "--data", "synthetic"),
            ("satkd-study", "--data", "synthetic", "--workdir", "run"),
            ("satkd-ship", "--workdir", "run", "--out", "shipped"),
            ("satkd-redraw", "--workdir", "run"),
            ("satkd-export", "KERAS", "--out", "firmware"),
        ],
        ids=lambda words: words[0],
    )
    def test_a_training_command_names_what_to_install(self, words, base_programs, tmp_path):
        keras_model = next(base_programs.parent.rglob("resnet8_eurosat.keras"))
        program, *arguments = (keras_model if word == "KERAS" else word for word in words)
        done = attempt([base_programs / program, *arguments], tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(r'error: \w+ is not installed; .*: pip install "keras_satkd\[train\]"\n', done.stderr)
        assert {path.name for path in tmp_path.iterdir()} <= {"cache"}
