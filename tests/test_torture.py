"""Small campaigns of `make torture`, each with the same checks."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import bombs
import flips
import pytest

TESTS = Path(__file__).parent
TRAINING = "tests/keras_satkd/training/test_train.py::test_a_student_trains_under_either_source_of_logits"
KILLS = {"export": 20, "ship": 3, "study": 3}


@pytest.mark.slow
@pytest.mark.parametrize("command", KILLS)
def test_killed_commands_leave_whole_folders_and_can_be_repeated(tmp_path, command):
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    words = [sys.executable, str(TESTS / "kills.py"), command, str(tmp_path), "600", str(KILLS[command])]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kills"] == KILLS[command]


@pytest.mark.parametrize("kind", flips.KINDS)
def test_flipped_bits_are_found(tmp_path, kind):
    logging.disable()
    try:
        files = list(flips.KINDS[kind](tmp_path / "files"))
        outcomes = [
            flips.outcome(path, read, fraction, bit) for path, read in files for fraction, bit in ((0.1, 0), (0.9, 6))
        ]
    finally:
        logging.disable(logging.NOTSET)
    assert flips.MISSED not in outcomes
    assert outcomes.count(flips.FOUND) > 0.8 * len(outcomes)


def test_a_missed_flip_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert flips.outcome(tmp_path / "file", (tmp_path / "file").read_bytes, 0.5, 0) == flips.MISSED
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.slow
@pytest.mark.parametrize("bomb", bombs.BOMBS, ids=lambda bomb: bomb.make.__name__)
def test_bombs_are_refused(tmp_path, bomb):
    found = bombs.explode(bomb, tmp_path)
    assert bombs.is_refused(found), found


def _trains(*apart, **environment):
    """Whether a student can be trained by a process of its own, started by the words `apart`."""
    words = [*apart, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{TRAINING}[float32-precomputed]"]
    environment = {**os.environ, **environment}
    done = subprocess.run(words, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_training_without_shared_memory():
    apart = ["unshare", "--mount", "sh", "-c", 'umount -l /dev/shm && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to unmount /dev/shm in a mount namespace: run as root")
    is_trained, said = _trains(*apart)
    assert is_trained, said


NO_LOCKS = "#include <errno.h>\nint flock(int file, int how) { (void)file; (void)how; errno = ENOLCK; return -1; }\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing: apt-get install gcc")
def test_a_training_without_locks(tmp_path):
    (tmp_path / "no_locks.c").write_text(NO_LOCKS)
    library = tmp_path / "no_locks.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "no_locks.c"], check=True)
    is_trained, said = _trains(LD_PRELOAD=str(library))
    assert is_trained, said
