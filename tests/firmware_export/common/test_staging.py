import errno
import fcntl
import os
import subprocess
import sys

import pytest

from firmware_export.common import staging


@pytest.fixture(params=[0, errno.ENOLCK, errno.ENOTSUP], ids=["locks", "ENOLCK", "ENOTSUP"])
def _locks(request, monkeypatch):
    def flock(*_):
        raise OSError(request.param, os.strerror(request.param))

    if request.param:
        monkeypatch.setattr(fcntl, "flock", flock)


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.usefixtures("_locks")
def test_the_folder_of_a_running_process_stays_and_an_abandoned_one_goes(tmp_path, ended):
    here = tmp_path / f".x-{staging._machine()}-{ended}-a"
    here.mkdir()
    (here / "half").touch()
    with staging.folder(tmp_path, ".x-") as stage:
        (stage / "mine").touch()
        staging.remove_abandoned(tmp_path, ".x-")
        assert list(tmp_path.iterdir()) == [stage]
        staging.remove_abandoned(tmp_path, ".y-")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "owner", ["00000000-{ended}-a", "{machine}-{ended}", "{machine}-1-a", "{machine}-9" + "9" * 30]
)
def test_without_locks_an_unknown_process_keeps_its_folder(tmp_path, monkeypatch, ended, owner):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    stage = tmp_path / (".x-" + owner.format(ended=ended, machine=staging._machine()))
    stage.mkdir()
    staging.remove_abandoned(tmp_path, ".x-")
    assert stage.exists()


def test_an_error_within_removes_the_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), staging.folder(tmp_path, ".x-"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
