"""How this process was started: what its help calls it, and what to type to start it again."""

import shlex
import shutil
import sys
from pathlib import Path


def name(module: str) -> str:
    """What to call the program: the script that was typed (`satkd-distill`), or `python -m MODULE`.

    Args:
        module: the program's module, as in `keras_satkd.distill`.
    """
    return f"python -m {module}" if _is_module() else Path(sys.argv[0]).name


def command() -> str:
    """The command line that started this process, to be typed again in the same folder."""
    if _is_module():
        return shlex.join(sys.orig_argv)
    script = sys.argv[0]
    # A script is started with its full path, wherever the shell found it.
    short = Path(script).name
    return shlex.join([short if shutil.which(short) == script else script, *sys.argv[1:]])


def _is_module() -> bool:
    # `python -m` puts the module's file there; an installed script's name has no suffix.
    return Path(sys.argv[0]).suffix == ".py"
