"""Files in object storage, by a copy of them on this machine: `s3://bucket/name`, `gs://bucket/name`; `file://` too.

A copy is made again if the size or the time of the object changes. Each file of it is whole or absent. The file systems
are Apache Arrow's, which the reader of Parquet brings; they find credentials as the providers' own tools do.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from firmware_export.common import digests, files
from firmware_export.common.errors import UserError, is_disk_full
from firmware_export.common.extras import INSTALL_TRAIN
from keras_satkd.data.cache import cache_folder
from keras_satkd.data.tables import is_table

_URL = re.compile(r"(s3|gs|file)://", re.IGNORECASE)
_AT_A_TIME = 16
"""Objects that are copied at a time."""
_CONNECT_SECONDS, _REQUEST_SECONDS, _ATTEMPTS = 10, 60, 3
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile, AWS_REGION, AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}


def is_url(text: str) -> bool:
    """Whether a text is a URL of one of the three schemes."""
    return _URL.match(text) is not None


def local(text: str, cache_dir: str | None) -> str:
    """The path on this machine of images: of their copy, which is brought up to date; `text` itself if it is no URL.

    An object is copied alone; a manifest with all that is in its folder, since its images are there; a folder whole.

    Raises:
        UserError: there is no such object or folder, or it cannot be read; pyarrow is not installed.
    """
    mirror = Mirror.of(text, cache_dir)
    if mirror is None:
        return text
    path = mirror.folder
    if mirror.is_remote and is_table(path):
        Mirror(path.parent, mirror.url.rpartition("/")[0]).pull(is_exact=True)
    else:
        mirror.pull(is_exact=True)
    return str(path)


@dataclass(frozen=True)
class Mirror:
    """A folder or a file on this machine, and the URL of which it is a copy.

    Attributes:
        folder: on this machine.
        url: in object storage; empty if the folder is the original.
    """

    folder: Path
    url: str = ""

    @classmethod
    def of(cls, text: str, cache_dir: str | None) -> "Mirror | None":
        """The copy of a URL, below the cache folder; None if `text` is no URL."""
        if not is_url(text):
            return None
        scheme, _, place = text.partition("://")
        scheme = scheme.lower()
        if scheme == "file":
            host, slash, path = place.partition("/")
            if host not in ("", "localhost") or not slash:
                raise UserError(f"{text} is on host {host!r}: give file:/// and an absolute path")
            return cls(Path(f"/{unquote(path)}"))
        names = [name for name in place.split("/") if name]
        if not names or place.startswith("/") or ".." in names:
            raise UserError(f"{text} names no bucket and object: give {scheme}://BUCKET/NAME")
        return cls((cache_folder(cache_dir) / "remote" / scheme).joinpath(*names), f"{scheme}://{'/'.join(names)}")

    @property
    def is_remote(self) -> bool:
        """Whether it is a copy."""
        return bool(self.url)

    def pull(self, wanted: Callable[[str], bool] = lambda name: True, *, is_exact: bool = False) -> None:
        """Copy what is new or has changed in object storage to this machine.

        Args:
            wanted: whether to copy a file, by its path below the URL.
            is_exact: delete files of the copy that are not in object storage, where there must be some.

        Raises:
            UserError: it cannot be read, or nothing is there with `is_exact`.
        """
        if not self.is_remote:
            return
        with _told(self.url):
            system, path = _opened(self.url)
            found = _listed(system, path)
            if is_exact and not found:
                raise UserError(f"{self.url}: there is no such object or folder: give the path of one")
            chosen = [
                (info, self.folder / name if name else self.folder) for name, info in found.items() if wanted(name)
            ]
            if is_exact:
                _remove_others(self.folder, {target for _, target in chosen})
            with ThreadPoolExecutor(_AT_A_TIME) as pool:
                list(pool.map(lambda each: _copy(system, *each), chosen))

    def push(self, paths: Iterable[Path]) -> None:
        """Copy files of the folder to object storage, one after the other.

        Raises:
            UserError: it cannot be written.
        """
        if not self.is_remote:
            return
        with _told(self.url):
            system, root = _opened(self.url)
            for path in paths:
                name = path.relative_to(self.folder).as_posix()
                with path.open("rb") as source, system.open_output_stream(f"{root}/{name}") as target:
                    shutil.copyfileobj(source, target, 1 << 20)

    def listed(self) -> dict[str, list[int]]:
        """Size in bytes and time in nanoseconds of what is in object storage, by the names below the URL.

        Raises:
            UserError: it cannot be read.
        """
        with _told(self.url):
            return {name: [info.size, info.mtime_ns] for name, info in _listed(*_opened(self.url)).items()}

    def remove(self, names: Iterable[str]) -> None:
        """Delete objects, by their names below the URL, if they are there.

        Raises:
            UserError: one cannot be deleted.
        """
        with _told(self.url):
            system, root = _opened(self.url)
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    system.delete_file(f"{root}/{name}")

    def has(self, path: Path) -> bool:
        """Whether a file of the folder is in object storage, of the same size; always if the folder is no copy."""
        if not self.is_remote:
            return True
        with _told(self.url):
            system, root = _opened(self.url)
            info = system.get_file_info(f"{root}/{path.relative_to(self.folder).as_posix()}")
            return bool(info.is_file and info.size == path.stat().st_size)


def with_record(path: Path) -> list[Path]:
    """A file's digest (`digests.record_of`), if there is one, and the file: who reads the file finds its digest."""
    return [each for each in (digests.record_of(path), path) if each.exists()]


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Errors of the file systems as one line."""
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError) as error:
        if getattr(error, "filename", None) is not None or is_disk_full(error):  # this machine's disk
            raise
        reason = re.sub(r"\s*\(Request ID.*?\)|^When .*?: (?=AWS Error)", "", " ".join(str(error).split()))[:200]
        raise UserError(f"{url}: {reason}: check its name and {_CREDENTIALS[url[:2]]}") from None


def _opened(url: str) -> tuple[Any, str]:
    """Arrow's file system of a URL, and the path in it."""
    try:
        from pyarrow import fs
    except ImportError:
        raise UserError(f"pyarrow is not installed; {url} needs it: {INSTALL_TRAIN}") from None
    scheme, _, path = url.partition("://")
    if scheme == "gs":
        # As Google's own libraries take it.
        emulator = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
        found = urlsplit(emulator if "://" in emulator else f"http://{emulator}")
        settings = {"endpoint_override": found.netloc, "scheme": found.scheme, "anonymous": True} if emulator else {}
        return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=_REQUEST_SECONDS), **settings), path
    given = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    endpoint = urlsplit(given if "://" in given else f"https://{given}")
    settings = {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme} if given else {}
    if region is None and not given:
        region = fs.resolve_s3_region(path.partition("/")[0])
    system = fs.S3FileSystem(
        region=region,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        **settings,
    )
    return system, path


def _listed(system: Any, path: str) -> dict[str, Any]:
    """Arrow's facts on each object below a path by its name there; of a single object, the name is empty."""
    from pyarrow import fs

    bucket = path.partition("/")[0]
    if system.get_file_info(bucket).type == fs.FileType.NotFound:
        raise FileNotFoundError(f"there is no bucket {bucket!r}")
    info = system.get_file_info(path)
    if info.is_file:
        return {"": info}
    found = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    named = {each.path.removeprefix(path).strip("/"): each for each in found if each.is_file}
    return {name: each for name, each in named.items() if ".." not in name.split("/")}


def _copy(system: Any, info: Any, target: Path) -> None:
    """Copy an object unless the file has its size and time."""
    held = target.stat() if target.is_file() else None
    if held is not None and (held.st_size, held.st_mtime_ns) == (info.size, info.mtime_ns):
        return
    files.write_with(target, partial(_download, system, info))


def _download(system: Any, info: Any, path: Path) -> None:
    with system.open_input_stream(info.path) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    os.utime(path, ns=(info.mtime_ns, info.mtime_ns))


def _remove_others(folder: Path, kept: set[Path]) -> None:
    """Delete the files below a folder that are not to be kept, with the folders that this empties."""
    if folder.is_file():
        if folder not in kept:
            folder.unlink()
        return
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            if Path(parent, name) not in kept:
                Path(parent, name).unlink()
        with contextlib.suppress(OSError):
            os.rmdir(parent)
