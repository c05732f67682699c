"""The commands in documents, and their arguments as their own parsers read them, without running the commands."""

import importlib
import importlib.util
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tyro
from markdown_text import ROOT, fences, text

from firmware_export.board import targets
from firmware_export.cli import Arguments as ExportArguments
from firmware_export.output import build_systems

MAKEFILE = ROOT / "Makefile"


@dataclass(frozen=True)
class Command:
    """One command line in a document."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        """The command line."""
        return shlex.join(self.words)

    @property
    def module(self) -> str | None:
        """The module that `python -m` runs; None for other commands."""
        return self.words[2] if self.words[:2] == ("python", "-m") else None


def commands(page: Path) -> list[Command]:
    """The commands in a page's `sh` blocks, from top to bottom; a backslash at the end of a line continues it."""
    found = []
    for fence in fences(text(page)):
        if fence.language == "sh":
            lines = fence.text.replace("\\\n", " ").splitlines()
            words = [tuple(shlex.split(line, comments=True)) for line in lines]
            found += [Command(page.name, each) for each in words if each]
    return found


class _ParsedError(BaseException):
    """Carries parsed arguments out of a command; `except Exception` in the command does not catch it."""


def parsed(module: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parse the arguments of a command with its own parser, without running the command.

    Args:
        module: as in `python -m MODULE`.
        arguments: the words after it.
        monkeypatch: stops the command after it has parsed its arguments.

    Raises:
        SystemExit: the parser rejects them.
    """
    is_package = importlib.util.find_spec(module).submodule_search_locations is not None
    main = importlib.import_module(f"{module}.__main__" if is_package else module).main
    parse = tyro.cli

    def stop(*args: Any, **settings: Any) -> Any:
        found = parse(*args, **settings)
        if settings.get("return_unknown_args"):  # this call only looks for the preset
            return found
        raise _ParsedError(found)

    with monkeypatch.context() as patch:
        patch.setattr(tyro, "cli", stop)
        patch.setattr(sys, "argv", [module, *arguments])
        try:
            main()
        except _ParsedError as done:
            return done.args[0]
    raise AssertionError(f"{module} parses its arguments without tyro")


def check(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a command is valid, without building, installing or training anything.

    Raises:
        AssertionError, SystemExit, UserError: the command is invalid, or there is no check for its kind.
    """
    first, *rest = command.words
    if command.module:
        found = parsed(command.module, command.words[3:], monkeypatch)
        if isinstance(found, ExportArguments):
            build_systems.check_formats(found.format)
            targets.choose(found.target, found.flash_bytes, found.ram_bytes, found.core)
    elif first == "make":
        assert shutil.which("make"), "no make: apt-get install make"
        subprocess.run(["make", "--dry-run", *rest], cwd=ROOT, check=True, capture_output=True)
    elif first == "python" and rest[0].endswith(".py"):
        subprocess.run([sys.executable, rest[0], "--help"], cwd=ROOT, check=True, capture_output=True)
    elif first == ".":
        assert rest == [f"{_makefile_variable('VENV')}/bin/activate"], "not the environment that make creates"
    elif command.words[:2] == ("pip", "install"):
        name, _, extras = rest[1].rstrip("]").partition("[")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert name == ".", f"{name} is not in any registry"
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    else:
        pytest.fail(f"{command.page}: `{command}` is not checked: add a check for it here")


def _makefile_variable(name: str) -> str:
    lines = [line.split(":=") for line in MAKEFILE.read_text().splitlines() if line.startswith(f"{name} :=")]
    return lines[0][1].strip()
