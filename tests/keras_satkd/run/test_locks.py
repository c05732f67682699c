import errno
import fcntl
import os
import subprocess
import sys

import pytest
from filelock import Timeout

from keras_satkd.run import locks

HOLDER = """
import errno, fcntl, os, sys
from pathlib import Path
from keras_satkd.run import locks

if sys.argv[2]:
    def flock(*_):
        raise OSError(int(sys.argv[2]), os.strerror(int(sys.argv[2])))
    fcntl.flock = flock
held = locks.lock(Path(sys.argv[1]), waits=False)
print(flush=True)
input()
"""


@pytest.fixture(params=[0, errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS], ids=["native", "ENOLCK", "ENOTSUP", "ENOSYS"])
def missing(request, monkeypatch):
    """The error of `flock`, of a file system without locks; 0 on any other."""

    def flock(*_):
        raise OSError(request.param, os.strerror(request.param))

    if request.param:
        monkeypatch.setattr(fcntl, "flock", flock)
    return request.param


def test_a_lock_excludes_other_processes_until_one_is_killed(tmp_path, missing):
    path = tmp_path / "run.lock"
    words = [sys.executable, "-W", "error", "-c", HOLDER, str(path), str(missing or "")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"\n"
        with pytest.raises(Timeout):
            locks.lock(path, waits=False)
        holder.kill()
    held = locks.lock(path, waits=False)
    assert locks.lock(path, waits=False) is held
    del held
    with locks.lock(path, waits=True):
        assert path.with_name("run.lock.owner").exists() is bool(missing)
    assert not path.with_name("run.lock.owner").exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        locks.lock(tmp_path / "file" / "run.lock", waits=False)
