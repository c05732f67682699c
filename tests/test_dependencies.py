"""What pyproject.toml asks for, by whom it is needed, and under which licence it comes."""

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

LICENCES = {
    "0BSD": "0BSD",
    "Apache-2.0": r"Apache",
    "BSD-3-Clause": r"\bBSD\b(?!-2)",
    "CC0-1.0": r"CC0",
    "MIT": r"\bMIT\b(?!-CMU)",
    "MIT-CMU": r"MIT-CMU",
    "MPL-2.0": r"MPL-2",
    "PSF": r"\bPSF\b|Python Software Foundation",
    "Zlib": r"Zlib",
}
"""How a licence is recognized, in THIRD_PARTY.md and in the many ways that metadata state it."""

STATES_NOTHING = {"tflite-micro"}
"""Wheels that state no licence, neither in their metadata nor in a file."""


def names(requirements: list[str]) -> set[str]:
    """The packages of requirements, without versions."""
    return {canonicalize_name(Requirement(requirement).name) for requirement in requirements}


def licences(text: str) -> set[str]:
    """The licences that a text names."""
    return {licence for licence, pattern in LICENCES.items() if re.search(pattern, text)}


def stated_licences(package: str) -> set[str]:
    """The licences that an installed package states; its most exact statement counts."""
    distribution = importlib.metadata.distribution(package)
    metadata = distribution.metadata
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    # Some put the whole text there, with that of everything bundled.
    field = metadata.get("License", "").strip()
    files = [file.read_text() for file in distribution.files or () if file.name == "LICENSE"]
    for statement in (metadata.get("License-Expression", ""), "" if "\n" in field else field, *classifiers, *files):
        if found := licences(statement):
            return found
    return set()


def third_party() -> list[dict[str, str]]:
    """The tables of packages in THIRD_PARTY.md, in order, from package to licence."""
    text = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    sections = text.split("| package | licence |\n|---|---|\n")[1:]
    return [dict(re.findall(r"^\| ([\w-]+) \| (.+) \|$", section, re.MULTILINE)) for section in sections]


LISTED = {package: licence for table in third_party() for package, licence in table.items()}


def test_training_asks_for_all_that_the_customer_named():
    named = {
        "tensorflow",
        "tensorflow-model-optimization",
        "keras-cv",
        "numpy",
        "tensorflow-datasets",
        "matplotlib",
    }
    assert named <= names(PROJECT["dependencies"]) | names(EXTRAS["train"])


def test_the_base_asks_for_nothing_of_training():
    assert EXTRAS["firmware"] == []
    assert not any(re.search("keras|tensorflow|tensorboard|jax", name) for name in names(PROJECT["dependencies"]))


@pytest.mark.parametrize(
    ("table", "asked"),
    [
        (0, names(PROJECT["dependencies"])),
        (1, names(EXTRAS["train"])),
        (2, names(EXTRAS["imagenet"] + EXTRAS["lowered"])),
    ],
    ids=["base", "train", "imagenet and lowered"],
)
def test_third_party_lists_what_is_asked_for(table, asked):
    assert list(third_party()[table]) == sorted(asked)


@pytest.mark.parametrize("package", sorted(LISTED))
def test_the_licence_is_the_stated_one(package):
    listed = licences(LISTED[package])
    assert listed
    assert stated_licences(package) == (set() if package in STATES_NOTHING else listed)


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
def test_licences_are_recognized(text, expected):
    assert licences(text) == expected


def test_the_lock_holds_every_package_that_is_asked_for():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = names(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    asked = names(PROJECT["dependencies"]).union(*map(names, EXTRAS.values()))
    assert asked - {"keras-satkd"} <= locked
    assert "://" not in lock, "the lock names no registry"
