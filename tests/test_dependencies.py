"""The dependencies in pyproject.toml, their groups, and their licenses in THIRD_PARTY.md."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

LICENSES = {
    "0BSD": "0BSD",
    "Apache-2.0": r"Apache",
    "BSD-2-Clause": r"\bBSD-2|2-clause BSD",
    "BSD-3-Clause": r"(?<!2-clause )\bBSD\b(?!-2)",
    "CC0-1.0": r"CC0",
    "MIT": r"\bMIT\b(?!-CMU)",
    "MIT-CMU": r"MIT-CMU",
    "MPL-2.0": r"MPL-2",
    "PSF": r"\bPSF\b|Python Software Foundation",
    "Zlib": r"Zlib",
}
"""Patterns of licenses in THIRD_PARTY.md and in package metadata."""

STATES_NOTHING = {"tflite-micro"}
"""Wheels without a license in their metadata or files."""


def names(requirements: list[str]) -> set[str]:
    """The packages of requirements, without versions."""
    return {canonicalize_name(Requirement(requirement).name) for requirement in requirements}


def licenses(text: str) -> set[str]:
    """The licenses that a text names."""
    return {license for license, pattern in LICENSES.items() if re.search(pattern, text)}


def stated_licenses(package: str) -> set[str]:
    """The licenses that an installed package states; the most exact statement counts."""
    distribution = importlib.metadata.distribution(package)
    metadata = distribution.metadata
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    # In some packages, this is the full text, including licenses of bundled software.
    field = metadata.get("License", "").strip()
    files = [file.read_text() for file in distribution.files or () if file.name == "LICENSE"]
    for statement in (metadata.get("License-Expression", ""), "" if "\n" in field else field, *classifiers, *files):
        if found := licenses(statement):
            return found
    return set()


def third_party() -> list[dict[str, str]]:
    """The tables of packages in THIRD_PARTY.md, in order, from package to license."""
    text = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    sections = text.split("| package | license |\n|---|---|\n")[1:]
    return [dict(re.findall(r"^\| ([\w-]+) \| (.+) \|$", section, re.MULTILINE)) for section in sections]


LISTED = {package: license for table in third_party() for package, license in table.items()}


def test_training_requires_all_packages_that_the_customer_named():
    named = {
        "tensorflow",
        "tensorflow-model-optimization",
        "keras-cv",
        "numpy",
        "tensorflow-datasets",
        "matplotlib",
    }
    assert named <= names(PROJECT["dependencies"]) | names(EXTRAS["train"])


def test_the_base_requires_no_training_packages():
    assert EXTRAS["firmware"] == []
    assert not any(re.search("keras|tensorflow|tensorboard|jax", name) for name in names(PROJECT["dependencies"]))


@pytest.mark.parametrize(
    ("table", "required"),
    [
        (0, names(PROJECT["dependencies"])),
        (1, names(EXTRAS["train"])),
        (2, names(EXTRAS["imagenet"] + EXTRAS["onnx"] + EXTRAS["lowered"])),
    ],
    ids=["base", "train", "imagenet, onnx and lowered"],
)
def test_third_party_lists_the_dependencies(table, required):
    assert list(third_party()[table]) == sorted(required)


@pytest.mark.parametrize("package", sorted(LISTED))
def test_the_license_is_the_stated_one(package):
    listed = licenses(LISTED[package])
    assert listed
    assert stated_licenses(package) == (set() if package in STATES_NOTHING else listed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apache License, Version 2.0", {"Apache-2.0"}),
        ("License :: OSI Approved :: BSD License", {"BSD-3-Clause"}),
        ("MIT-CMU", {"MIT-CMU"}),
        ("MPL-2.0 AND MIT", {"MPL-2.0", "MIT"}),
        ("Proprietary", set()),
    ],
)
def test_licenses_are_recognized(text, expected):
    assert licenses(text) == expected


def test_the_lock_contains_every_dependency():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = names(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    required = names(PROJECT["dependencies"]).union(*map(names, EXTRAS.values()))
    assert required - {"keras-satkd"} <= locked
    assert not re.search(r"://|^-|/", re.sub(r"#.*", "", lock), re.MULTILINE), "a registry, an option or a path"


def test_every_locked_package_has_hashes():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(
        r"^(?![ #]).+?(?<!\\)$", re.sub(r"^ +#.*\n", "", lock, flags=re.MULTILINE), re.MULTILINE | re.DOTALL
    )
    assert len(pins) > 200
    for pin in pins:
        package, *hashes = pin.split(" \\\n")
        assert re.match(r"[a-z0-9._-]+==[\w.+!]+( ;|$)", package), package
        assert hashes, package
        assert all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}", each) for each in hashes), package


def test_installation_requires_hashes():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    installs = re.findall(r"pip install .*", makefile)
    assert len(installs) == 3
    for command in installs:
        is_own_code = "--no-deps --no-build-isolation --editable ." in command
        assert is_own_code or "--require-hashes" in command, command
    assert "--generate-hashes" in makefile
