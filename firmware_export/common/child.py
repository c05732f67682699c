"""How a module of ours is run in a process of its own: it finds the same modules as this process does."""

import os
import sys


def command(module: str, *arguments: str) -> list[str]:
    """The words that start it. Files of the working directory, such as a `select.py`, do not replace modules."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the places in which it finds modules, and variables of more."""
    found = os.pathsep.join(os.path.abspath(place) for place in sys.path if place)
    return {**os.environ, "PYTHONPATH": found, **more}
