"""Run commands in processes that begin with TensorFlow imported, which takes a command most of its time.

Python's fork server imports the libraries once and forks a process for each command. In all else a command is as one
that a shell starts: its own arguments, working directory, environment, output, and exit code. What a command does
before and while it imports its libraries is tested where a test starts the interpreter itself.
"""

import functools
import multiprocessing
import os
import runpy
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

LIMIT = 1200
"""Seconds that a command may take on a busy machine."""
LIBRARIES = ["keras_satkd", "tensorflow", "tf_keras", "tensorflow_model_optimization"]


@dataclass(frozen=True)
class Started:
    """A command that runs."""

    words: Sequence[str]
    process: BaseProcess
    outputs: tempfile.TemporaryDirectory

    def wait(self) -> subprocess.CompletedProcess[str]:
        """The exit code, standard output, and standard error, once it has ended."""
        self.process.join(LIMIT)
        if self.process.exitcode is None:
            self.process.kill()
            pytest.fail(f"{shlex.join(self.words)} did not end in {LIMIT} s")
        with self.outputs as place:
            texts = [(Path(place) / name).read_text(errors="replace") for name in ("1", "2")]
        return subprocess.CompletedProcess(self.words, self.process.exitcode, *texts)


@functools.cache
def _server() -> multiprocessing.context.BaseContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    return context


def start(words: Sequence[object], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Started:
    """Start a command.

    Args:
        words: `python`, in whatever place, then `-m` and a module or a script, then arguments.
        folder: the working directory; by default this process's.
        environment: all of its variables, of which TensorFlow has read its own before; by default this process's.
    """
    texts = list(map(str, words))
    outputs = tempfile.TemporaryDirectory()
    for name in ("1", "2"):
        (Path(outputs.name) / name).touch()
    told = (texts[1:], folder or Path.cwd(), dict(environment or os.environ), outputs.name)
    process = _server().Process(target=_begin, args=told)
    process.start()
    return Started(texts, process, outputs)


def run(
    words: Sequence[object], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; the arguments are `start`'s."""
    return start(words, folder, environment).wait()


def _begin(words: list[str], folder: Path, environment: dict[str, str], outputs: str) -> None:
    for descriptor in (1, 2):
        os.dup2(os.open(Path(outputs) / str(descriptor), os.O_WRONLY | os.O_APPEND), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    is_module = words[0] == "-m"
    sys.argv = words[1:] if is_module else words
    begins = str(folder if is_module else Path(words[0]).parent)
    sys.path[:0] = [begins, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    if is_module:
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(words[0], run_name="__main__")
