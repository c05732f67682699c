"""Locks between processes, also on file systems without them."""

from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock

from firmware_export.common.errors import UserError
from firmware_export.common.staging import NO_LOCKS
from keras_satkd.run.artifacts import OWNER_SUFFIX


class InUse(UserError):
    """Another process is using the folder."""


def lock(path: Path, *, waits: bool) -> BaseFileLock:
    """Lock a file; created if missing. The lock lasts as long as the returned object, at most as long as the process.

    All locks of one file in this process are one object, so they exclude only other processes. On a file system without
    locks, a file with the suffix `OWNER_SUFFIX` names the process that has the lock. If that process was killed, the
    next one on the same machine takes the lock.

    Args:
        path: the file.
        waits: whether to wait for another process.

    Raises:
        Timeout: another process has the lock.
        OSError: the file cannot be written.
    """
    native = FileLock(path, is_singleton=True, fallback_to_soft=False)
    try:
        native.acquire(blocking=waits)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    else:
        return native
    soft = SoftFileLock(path.with_name(path.name + OWNER_SUFFIX), is_singleton=True)
    soft.acquire(blocking=waits)
    return soft
