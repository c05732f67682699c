"""The command line's reference: what `--help` says of every command, as Markdown."""

import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "keras_satkd.distill",
    "keras_satkd.teach",
    "keras_satkd.ask",
    "keras_satkd.quantize",
    "keras_satkd.lower",
    "keras_satkd.list_images",
    "keras_satkd.select",
    "keras_satkd.evaluate",
    "keras_satkd.study",
    "keras_satkd.redraw",
    "keras_satkd.ship",
    "firmware_export",
    "firmware_export.run",
    "firmware_export.upsets",
    "firmware_export.evidence",
)
"""Modules that `python -m` runs, in the order of a project's life."""

_COLUMNS = 92


def reference() -> str:
    """A section a command."""
    return "\n".join(map(section, COMMANDS))


def section(command: str) -> str:
    """How to call a command, what it does, and its options, as its parser tells them.

    Args:
        command: one of `COMMANDS`.
    """
    usage, _, rest = help_text(command).partition("\n\n")
    description, _, options = rest.partition("╭")
    called, listed = (f"```text\n{printed}\n```" for printed in (_folded(usage), f"╭{options.strip()}"))
    name = scripts().get(command)
    same = f" `{name}` is the same." if name else ""
    return f"## {command}\n\n{called}\n\n{description.strip()}{same}\n\n{listed}\n"


def scripts() -> dict[str, str]:
    """Names by which installed commands are called without `python -m`, by their modules."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = project.get("scripts", {}).items()
    return {target.partition(":")[0].removesuffix(".__main__"): name for name, target in named}


def help_text(command: str) -> str:
    """What `python -m COMMAND --help` prints on a terminal that knows no colors."""
    environment = {**os.environ, "COLUMNS": str(_COLUMNS), "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", command, "--help"], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def _folded(usage: str) -> str:
    words = " ".join(usage.split())
    return textwrap.fill(words, _COLUMNS, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
