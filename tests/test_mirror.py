"""Each module's tests are at the mirrored path: `tests/firmware_export/tflite/test_cut.py` tests `cut.py` there."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("firmware_export", "keras_satkd")

COMMAND = "one call of keras_satkd.cli, which tests/test_command_lines.py and tests/keras_satkd/test_cli.py test"
SETTINGS = "settings, which tests/keras_satkd/test_config_io.py tests"

WITHOUT_TESTS_OF_ITS_OWN: dict[str, str] = {
    "firmware_export/common/defaults.py": "constants only",
    "keras_satkd/distill.py": COMMAND,
    "keras_satkd/lower.py": COMMAND,
    "keras_satkd/quantize.py": COMMAND,
    "keras_satkd/run/artifacts.py": "constants only",
    "keras_satkd/settings/data_config.py": SETTINGS,
    "keras_satkd/settings/firmware_config.py": SETTINGS,
    "keras_satkd/settings/method_config.py": SETTINGS,
    "keras_satkd/settings/setting_types.py": SETTINGS,
    "keras_satkd/teach.py": COMMAND,
    "keras_satkd/training/method.py": "a record without code, which tests/keras_satkd/pipeline/test_methods.py fills",
    "keras_satkd/training/run_offloaded.py": "tests/keras_satkd/training/test_offload.py runs it as a program",
}
"""Modules whose test module is not at the mirrored path, and the reason."""


def needs_tests(module: Path) -> bool:
    """Whether a module has code of its own; an `__init__.py` often has only a docstring and imports."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return module.name != "__init__.py" or any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)


def mirrored(module: str) -> str:
    """The path of the tests of a module; both paths are relative to the repository."""
    path = Path(module)
    return str(Path("tests") / path.with_name(f"test_{path.stem.strip('_')}.py"))


MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if needs_tests(path)
)


@pytest.mark.parametrize(
    ("module", "tests"),
    [
        ("keras_satkd/run/folder.py", "tests/keras_satkd/run/test_folder.py"),
        ("firmware_export/__main__.py", "tests/firmware_export/test_main.py"),
        ("keras_satkd/__init__.py", "tests/keras_satkd/test_init.py"),
    ],
)
def test_where_tests_belong(module, tests):
    assert mirrored(module) == tests


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_tests(module):
    has_tests = (ROOT / mirrored(module)).exists()
    if module in WITHOUT_TESTS_OF_ITS_OWN:
        assert not has_tests, f"{mirrored(module)} exists: remove {module} from WITHOUT_TESTS_OF_ITS_OWN"
    else:
        assert has_tests, f"{module} has no {mirrored(module)}"


def test_every_exemption_is_a_module_and_has_a_reason():
    assert set(WITHOUT_TESTS_OF_ITS_OWN) - set(MODULES) == set()
    assert all(WITHOUT_TESTS_OF_ITS_OWN.values())
