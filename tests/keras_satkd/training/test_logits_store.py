import dataclasses

import hypothesis
import numpy as np
import pytest
from damage import damage
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.training.logits_store import DESCRIPTION, LogitsStore, Recipe, parse_shard

RECIPE = Recipe("one", "1" * 64, 10, "2" * 64, 3, "satellite", 0, "", views=2, shards=4)


def logits_of(rows: slice, view: int) -> np.ndarray:
    """Logits that tell the image and the view."""
    images = np.arange(rows.start, rows.stop)[:, None]
    return 100 * view + images + np.arange(3) / 8


def filled(root) -> LogitsStore:
    store = LogitsStore.create(root, RECIPE)
    for shard in (3, 1, 4, 2):
        assert store.compute(shard, logits_of)
    return store


def expected(views: int = 2) -> np.ndarray:
    return np.stack([logits_of(slice(0, 10), view) for view in range(views)], axis=1).astype(np.float16)


def test_shards_in_any_order_are_the_whole(tmp_path):
    filled(tmp_path)
    np.testing.assert_array_equal(LogitsStore.open(tmp_path, RECIPE).read(2), expected())


def test_fewer_views_of_a_store_are_its_first(tmp_path):
    filled(tmp_path)
    fewer = dataclasses.replace(RECIPE, views=1, shards=1)
    np.testing.assert_array_equal(LogitsStore.open(tmp_path, fewer).read(1), expected(1))
    more = dataclasses.replace(RECIPE, views=3)
    with pytest.raises(UserError, match=r"has 2 views, and --distillation\.views is 3"):
        LogitsStore.open(tmp_path, more)


@hypothesis.given(st.integers(1, 200), st.integers(1, 64))
def test_every_image_is_in_one_shard(tmp_path_factory, images, shards):
    store = LogitsStore(tmp_path_factory.getbasetemp(), dataclasses.replace(RECIPE, images=images, shards=shards))
    rows = [row for shard in range(1, shards + 1) for row in range(images)[store.rows(shard)]]
    assert rows == list(range(images))


def test_a_finished_shard_is_not_computed_again(tmp_path):
    store = filled(tmp_path)

    def never(rows, view):
        raise AssertionError

    assert not store.compute(3, never)


def test_missing_shards_are_named(tmp_path):
    store = LogitsStore.create(tmp_path, RECIPE)
    store.compute(2, logits_of)
    message = r"shard 1/4 is missing, 3/4 is missing, 4/4 is missing: run `python -m keras_satkd\.ask` .*--shard 1/4"
    with pytest.raises(UserError, match=message):
        store.read(2)


def test_a_torn_shard_is_named_and_computed_again(tmp_path, caplog):
    store = filled(tmp_path)
    for seed in range(20):
        damage(store.path(2), seed)
        with pytest.raises(UserError, match="shard 2/4 is damaged"):
            store.read(2)
        caplog.clear()
        assert store.compute(2, logits_of)
        assert "it is computed again" in caplog.text
        np.testing.assert_array_equal(store.read(2), expected())
    np.save(store.path(2), np.zeros((1, 2, 3), np.float16))
    with pytest.raises(UserError, match="shard 2/4 is damaged"):
        store.read(2)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"teacher_sha256": "3" * 64}, "its teacher_sha256 is '1111"),
        ({"seed": 7}, "its seed is 0, wanted is 7"),
        ({"augmentation": "dihedral"}, "its augmentation is 'satellite', wanted is 'dihedral'"),
        ({"disturbance": "Mixture"}, "its disturbance is '', wanted is 'Mixture'"),
        ({"images": 11}, "its images is 10, wanted is 11"),
        ({"format": 2}, "its format is 1, wanted is 2"),
        ({"teacher": "two"}, "has no logits of teacher two in it: run"),
    ],
    ids=str,
)
def test_logits_of_other_settings_are_refused(tmp_path, changed, said):
    filled(tmp_path)
    with pytest.raises(UserError, match=said):
        LogitsStore.open(tmp_path, dataclasses.replace(RECIPE, **changed))


def test_one_layout_a_folder(tmp_path):
    filled(tmp_path)
    with pytest.raises(UserError, match="has 4 shards, not 8: give the same, or another folder"):
        LogitsStore.create(tmp_path, dataclasses.replace(RECIPE, shards=8))
    with pytest.raises(UserError, match="has 2 views, not 5"):
        LogitsStore.create(tmp_path, dataclasses.replace(RECIPE, views=5))


def test_a_damaged_description_is_one_line(tmp_path):
    path = filled(tmp_path).folder / DESCRIPTION
    damage(path, 0)
    with pytest.raises(UserError, match="remove its folder, and compute the shards again"):
        LogitsStore.open(tmp_path, RECIPE)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match="cannot be written"):
        LogitsStore.create(tmp_path / "file", RECIPE)


def test_size_is_that_of_the_files(tmp_path):
    store = filled(tmp_path)
    assert RECIPE.bytes == sum(np.load(store.path(shard)).nbytes for shard in range(1, 5))


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "a/b", "1/0", "-1/4", "1/4/2", "1.5/4"])
def test_no_shard(text):
    with pytest.raises(UserError, match="give K/N with K from 1 to N, such as 3/64"):
        parse_shard(text)


def test_shard():
    assert parse_shard("3/64") == (3, 64)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), max_size=30))
def test_logits_are_read_by_image_and_view(tmp_path_factory, chosen):
    folder = tmp_path_factory.getbasetemp() / "by-view"
    if not folder.exists():
        filled(folder)
    images, views = np.array(chosen, int).reshape(-1, 2).T
    read = LogitsStore.open(folder, RECIPE).by_view(2)
    assert (read.shape, read.dtype) == ((10, 2, 3), np.float16)
    np.testing.assert_array_equal(read.at(images, views), expected()[images, views])
