"""Which process works on which training of a study, over a folder that any number of them share."""

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout

from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text, write_json
from keras_satkd.run.locks import lock

FOLDER = "claims"


@contextlib.contextmanager
def claimed(workdir: Path, name: str) -> Iterator[str | None]:
    """Claim a training for the time of the block, unless another process has it. A process that dies loses its claims.

    Args:
        workdir: the study's folder.
        name: of the training, as of its run's folder.

    Yields:
        The process that has it, as in `process 12 on host`; None: this one has it now.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = workdir / FOLDER
    owner = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = lock(folder / f"{name}.lock", waits=False)
    except Timeout:
        yield _described(owner)
        return
    except OSError as error:
        raise UserError(f"--workdir {workdir} cannot be written: {error.strerror}") from error
    try:
        write_json(owner, {"process": os.getpid(), "host": platform.node()})
        yield None
        owner.unlink(missing_ok=True)
    finally:
        held.release()


def _described(owner: Path) -> str:
    try:
        found = json.loads(read_text(owner))
        return f"process {found['process']} on {found['host']}"
    except (OSError, ValueError, LookupError, TypeError):  # it is just being written
        return "another process"
