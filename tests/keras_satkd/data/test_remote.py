"""Object storage against a real S3 server (moto's), which the tests start on 127.0.0.1."""

import errno
import os
import shutil
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from damage import damage
from PIL import Image

from firmware_export.common.errors import UserError
from keras_satkd.data import remote, sources, unlabelled
from keras_satkd.data.remote import Mirror, with_record
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.training.logits_store import DESCRIPTION, LogitsStore, Recipe

RECIPE = Recipe("one", "1" * 64, 10, "2" * 64, 3, "satellite", 0, "", views=2, shards=2)
STORE = "s3://bucket/stores/mine"


def put(system, path, content):
    with system.open_output_stream(f"bucket/{path}") as target:
        target.write(content)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """The same images as a folder, a zip, a manifest with its folder, and arrays."""
    root = tmp_path_factory.mktemp("kinds")
    random = np.random.default_rng(0)
    images, labels, rows = [], [], ["file,class"]
    for label, name in enumerate(("Forest", "River")):
        (root / "folder" / name).mkdir(parents=True)
        for number in range(3):
            pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(root / "folder" / name / f"{number} ä#.png")
            images.append(pixels)
            labels.append(label)
            rows.append(f"{name}/{number} ä#.png,{name}")
    shutil.make_archive(str(root / "images"), "zip", root / "folder")
    shutil.copytree(root / "folder", root / "table")
    (root / "table" / "images.csv").write_text("\n".join(rows))
    np.savez(root / "images.npz", images=images, labels=labels)
    return root


@pytest.mark.parametrize("kind", ["folder", "images.zip", "table/images.csv", "images.npz", "folder images.zip"])
def test_images_in_a_bucket_are_those_on_disk(kinds, bucket, tmp_path, kind):
    for path in kinds.rglob("*"):
        if path.is_file():
            put(bucket, f"data/{path.relative_to(kinds).as_posix()}", path.read_bytes())
    settings = {"image_size": 8, "cache_dir": str(tmp_path / "cache")}
    names = kind.split()
    here, far, file = (
        sources.load(DataConfig(source=tuple(f"{root}/{name}" for name in names), **settings))
        for root in (kinds, "s3://bucket/data", f"file://{kinds}")
    )
    for found in (far, file):
        np.testing.assert_array_equal(found.images, here.images)
        np.testing.assert_array_equal(found.labels, here.labels)
        assert found.files == here.files


def test_a_copy_follows_what_changes(kinds, bucket, tmp_path):
    settings = DataConfig(source="s3://bucket/data", image_size=8, cache_dir=str(tmp_path))
    for path in (kinds / "folder").rglob("*.png"):
        put(bucket, f"data/{path.parent.name}/{path.name}", path.read_bytes())
    first = sources.load(settings)
    copied = sorted((tmp_path / "remote" / "s3" / "bucket" / "data").rglob("*.png"))
    times = [path.stat().st_ino for path in copied]
    assert sources.load(settings).files == first.files
    assert [path.stat().st_ino for path in copied] == times  # not copied again
    bucket.delete_file("bucket/data/River/0 ä#.png")
    Image.new("RGB", (8, 8), (9, 8, 7)).save(tmp_path / "other.png")
    put(bucket, "data/Forest/0 ä#.png", (tmp_path / "other.png").read_bytes())
    second = sources.load(settings)
    assert len(second) == len(first) - 1
    assert (second.images[second.files.index("Forest/0 ä#.png")] == (9, 8, 7)).all()


def test_images_in_google_cloud_storage(kinds, google_bucket, tmp_path):
    for path in (kinds / "folder").rglob("*.png"):
        put(google_bucket, f"data/{path.parent.name}/{path.name}", path.read_bytes())
    settings = {"image_size": 8, "cache_dir": str(tmp_path)}
    here, far = (
        sources.load(DataConfig(source=(name,), **settings)) for name in (f"{kinds}/folder", "gs://bucket/data")
    )
    np.testing.assert_array_equal(far.images, here.images)
    assert far.files == here.files
    google_bucket.delete_file("bucket/data/River/0 ä#.png")
    assert len(sources.load(DataConfig(source=("gs://bucket/data",), **settings))) == len(here) - 1
    with pytest.raises(
        UserError, match=r"gs://nothing/x: there is no bucket 'nothing': .* GOOGLE_APPLICATION_CREDENTIALS"
    ):
        sources.load(DataConfig(source=("gs://nothing/x",), **settings))


def test_unlabelled_images_in_a_bucket(kinds, bucket, tmp_path):
    put(bucket, "new.zip", (kinds / "images.zip").read_bytes())
    settings = DataConfig(image_size=8, cache_dir=str(tmp_path))
    assert len(unlabelled.load("s3://bucket/new.zip", settings, None)) == 6


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://bucket/nothing", "s3://bucket/nothing: there is no such object or folder"),
        ("s3://no-bucket/x", "s3://no-bucket/x: there is no bucket 'no-bucket': check its name and AWS_ACCESS_KEY_ID"),
        ("s3://", "names no bucket"),
        ("s3://bucket/../etc", "names no bucket and object: give s3://BUCKET/NAME"),
        ("file://host/images", "is on host 'host': give file:///"),
        ("file:///nowhere/images", "/nowhere/images: no such folder or zip"),
    ],
)
def test_what_is_not_there_is_one_line(bucket, tmp_path, url, said):
    with pytest.raises(UserError, match=said) as error:
        sources.load(DataConfig(source=url, cache_dir=str(tmp_path)))
    assert "\n" not in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_without_credentials_or_a_server(bucket, server, tmp_path, monkeypatch):
    def authorize_from(request: str) -> None:
        headers = {"Content-Type": "text/plain"}
        address = f"http://{server}/moto-api/reset-auth"
        urllib.request.urlopen(urllib.request.Request(address, request.encode(), headers)).close()

    authorize_from("0")
    try:
        with pytest.raises(UserError, match=r"s3://bucket/x: AWS Error .*: check its name and AWS_ACCESS_KEY_ID"):
            Mirror.of("s3://bucket/x", str(tmp_path)).pull()
    finally:
        authorize_from("inf")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="NETWORK_CONNECTION"):
        Mirror.of("s3://bucket/x", str(tmp_path)).pull()


def test_without_pyarrow(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        UserError, match=r'pyarrow is not installed; s3://b/x needs it: pip install "keras_satkd\[train'
    ):
        Mirror.of("s3://b/x", str(tmp_path)).pull()


def logits_of(rows, view):
    return np.arange(10)[rows, None] + np.array([view, 0.5, -1])


def computed(machine: Path, shard: int, url: str = STORE) -> bool:
    """What `pipeline.ask` does on a machine of its own."""
    mirror = Mirror.of(url, str(machine))
    mirror.pull()
    store = LogitsStore.create(mirror.folder, RECIPE)
    is_new = store.compute(shard, logits_of)
    if is_new or not mirror.has(store.path(shard)):
        mirror.push([*with_record(store.folder / DESCRIPTION), *with_record(store.path(shard))])
    return is_new


def test_machines_share_a_store_in_a_bucket(bucket, tmp_path, caplog):
    assert computed(tmp_path / "a", 1)
    assert computed(tmp_path / "b", 2)
    assert not computed(tmp_path / "c", 1)
    mirror = Mirror.of(STORE, str(tmp_path / "d"))
    mirror.pull()
    held = LogitsStore.open(mirror.folder, RECIPE).read(2)
    np.testing.assert_array_equal(held[:, 1], logits_of(slice(0, 10), 1))
    # A torn object: its digest, which lies beside it, tells.
    name = f"stores/mine/{RECIPE.teacher}-{RECIPE.identity}/logits-00002-of-00002.npy"
    torn = tmp_path / "torn.npy"
    torn.write_bytes(bucket.open_input_file(f"bucket/{name}").read())
    damage(torn, 0)
    put(bucket, name, torn.read_bytes())
    other = Mirror.of(STORE, str(tmp_path / "e"))
    other.pull()
    with pytest.raises(UserError, match="shard 2/2 is damaged"):
        LogitsStore.open(other.folder, RECIPE).read(2)
    assert computed(tmp_path / "f", 2)
    assert "it is computed again" in caplog.text
    other = Mirror.of(STORE, str(tmp_path / "g"))
    other.pull()
    np.testing.assert_array_equal(LogitsStore.open(other.folder, RECIPE).read(2), held)


def test_a_full_disk_of_this_machine_is_no_matter_of_credentials():
    with pytest.raises(OSError, match="No space left"), remote._told("s3://bucket"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(UserError, match="AWS_ACCESS_KEY_ID"), remote._told("s3://bucket"):
        raise OSError("When listing objects: AWS Error ACCESS_DENIED")


def test_what_is_a_url():
    assert all(map(remote.is_url, ("s3://b/x", "gs://b", "FILE:///x")))
    assert not any(map(remote.is_url, ("eurosat/rgb", "/s3://x", "http://x", "C:/x", "s3:/x")))


def test_machines_share_a_store_in_google_cloud_storage(google_bucket, tmp_path):
    url = STORE.replace("s3://", "gs://")
    assert computed(tmp_path / "a", 1, url)
    assert computed(tmp_path / "b", 2, url)
    assert not computed(tmp_path / "c", 1, url)
    mirror = Mirror.of(url, str(tmp_path / "d"))
    mirror.pull()
    np.testing.assert_array_equal(LogitsStore.open(mirror.folder, RECIPE).read(2)[:, 1], logits_of(slice(0, 10), 1))
