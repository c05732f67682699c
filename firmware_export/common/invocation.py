"""How this process was started: the program's name for its help text, and the command that starts it again."""

import shlex
import shutil
import sys
from pathlib import Path


def name(module: str) -> str:
    """The program's name: the console script that was typed (`satkd-distill`), or `python -m MODULE`.

    Args:
        module: the program's module, such as `keras_satkd.distill`.
    """
    return f"python -m {module}" if _is_module() else Path(sys.argv[0]).name


def command() -> str:
    """The command line that starts this process again in the same folder."""
    if _is_module():
        return shlex.join(sys.orig_argv)
    script = sys.argv[0]
    # The shell passes a script's full path, even if only its name was typed.
    short = Path(script).name
    return shlex.join([short if shutil.which(short) == script else script, *sys.argv[1:]])


def _is_module() -> bool:
    # `python -m` sets argv[0] to the module's file; the name of an installed script has no suffix.
    return Path(sys.argv[0]).suffix == ".py"
