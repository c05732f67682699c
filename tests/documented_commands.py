"""Commands as documents give them, and each as its own parser reads it, without the work behind it."""

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
    """One line that a reader types."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        """As it is typed."""
        return shlex.join(self.words)

    @property
    def module(self) -> str | None:
        """What `python -m` runs; None for other commands."""
        return self.words[2] if self.words[:2] == ("python", "-m") else None


def commands(page: Path) -> list[Command]:
    """The commands in a page's `sh` blocks, from top to bottom; a line that ends in a backslash goes on."""
    found = []
    for fence in fences(text(page)):
        if fence.language == "sh":
            lines = fence.text.replace("\\\n", " ").splitlines()
            words = [tuple(shlex.split(line, comments=True)) for line in lines]
            found += [Command(page.name, each) for each in words if each]
    return found


class _ParsedError(BaseException):
    """Carries what a parser made of a command line; no `except Exception` of the command's own stops it."""


def parsed(module: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a command's own parser makes of its arguments; the work that would follow is not begun.

    Args:
        module: as in `python -m MODULE`.
        arguments: what follows it.
        monkeypatch: stops the command when it has read its arguments.

    Raises:
        SystemExit: the parser refuses them.
    """
    is_package = importlib.util.find_spec(module).submodule_search_locations is not None
    main = importlib.import_module(f"{module}.__main__" if is_package else module).main
    parse = tyro.cli

    def stop(*args: Any, **settings: Any) -> Any:
        found = parse(*args, **settings)
        if settings.get("return_unknown_args"):  # only the preset was looked for
            return found
        raise _ParsedError(found)

    with monkeypatch.context() as patch:
        patch.setattr(tyro, "cli", stop)
        patch.setattr(sys, "argv", [module, *arguments])
        try:
            main()
        except _ParsedError as done:
            return done.args[0]
    raise AssertionError(f"{module} reads its arguments without tyro")


def check(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail unless the command is one that a reader can type; nothing is made, installed or trained.

    Raises:
        AssertionError, SystemExit, UserError: it is not, or it is of a kind that nobody here knows how to check.
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
        assert rest == [f"{_makefile_variable('VENV')}/bin/activate"], "another environment than make makes"
    elif command.words[:2] == ("pip", "install"):
        name, _, extras = rest[1].rstrip("]").partition("[")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert name == ".", f"{name} is in no registry"
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    else:
        pytest.fail(f"{command.page}: `{command}` is neither run nor checked: say here how to check it")


def _makefile_variable(name: str) -> str:
    lines = [line.split(":=") for line in MAKEFILE.read_text().splitlines() if line.startswith(f"{name} :=")]
    return lines[0][1].strip()
