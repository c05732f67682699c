import hashlib

import numpy as np
import pytest
from damage import damage

from firmware_export.common import digests, limits, on_disk
from keras_satkd.camera.training import Mixture, Range
from keras_satkd.config import MixingConfig
from keras_satkd.data import augment, mix, view_numbers
from keras_satkd.training import view_logits


def test_every_view_is_what_the_teacher_says_of_it(image_set, teacher, tmp_path):
    images, both = image_set(5), [teacher("one", 1), teacher("two", 2)]
    known = view_logits.compute_view_logits(
        both, images.images, policy="satellite", views=3, seed=9, folder=tmp_path, batch_size=2
    )
    assert known.logits.shape == (5, 3, 2, 3)
    for view in range(3):
        seen = augment.augment(images.images, known.draws[:, view], "satellite")
        for position, each in enumerate(both):
            np.testing.assert_allclose(known.logits[:, view, position], each.logits(seen), atol=2e-3)


def test_a_teacher_sees_the_views_as_the_camera_gives_them(image_set, teacher, tmp_path):
    images, one, camera = image_set(5), teacher("one", 1), Mixture({"gain": Range(1.0, 0.5, 0.9)}, 0.7)
    settings = {"policy": "dihedral", "views": 2, "seed": 9, "folder": tmp_path}
    clean = view_logits.compute_view_logits([one], images.images, **settings)
    known = view_logits.compute_view_logits([one], images.images, camera=camera, **settings)
    assert clean.camera_seeds is None
    np.testing.assert_array_equal(known.draws, clean.draws)
    for view in range(2):
        turned = augment.augment(images.images, known.draws[:, view], "dihedral").numpy()
        seen = camera(turned, known.camera_seeds[:, view])
        np.testing.assert_allclose(known.logits[:, view, 0], one.logits(seen), atol=2e-3)
    assert len(list(tmp_path.glob("*.npy"))) == 4
    assert known.averaged().camera_seeds is None


def test_finished_views_are_read_and_missing_ones_made(image_set, teacher, tmp_path):
    images, one = image_set(4), [teacher("one")]
    first = view_logits.compute_view_logits(one, images.images, policy="dihedral", views=2, seed=0, folder=tmp_path)
    marked = np.full((4, 3), 7, np.float16)
    for path in tmp_path.glob("*.npy"):
        if (np.load(path) == first.logits[:, 0, 0]).all():
            np.save(path, marked)
            digests.record_of(path).unlink()  # as an older version wrote it
        else:
            path.unlink()
    again = view_logits.compute_view_logits(one, images.images, policy="dihedral", views=2, seed=0, folder=tmp_path)
    np.testing.assert_array_equal(again.logits[:, 0, 0], marked)
    np.testing.assert_array_equal(again.logits[:, 1], first.logits[:, 1])


@pytest.mark.parametrize("camera", [None, Mixture({"gain": Range(1.0, 0.5, 0.9)}, 0.7)], ids=["clean", "camera"])
def test_a_teacher_sees_mixed_views(image_set, teacher, tmp_path, camera):
    images, one, mixing = image_set(5), teacher("one", 1), MixingConfig(method="both", share=0.8)
    settings = {"policy": "dihedral", "views": 2, "seed": 9, "folder": tmp_path, "camera": camera}
    known = view_logits.compute_view_logits([one], images.images, mixing=mixing, batch_size=2, **settings)
    for view in range(2):
        numbers = known.mixing_draws[:, view]
        partners = mix.partners(np.arange(5), numbers, 5).numpy()
        turned = augment.augment(images.images, known.draws[:, view], "dihedral").numpy()
        seen, _ = mix.mix_images(turned, turned[partners], numbers, mixing)
        seen = seen.numpy() if camera is None else camera(seen.numpy(), known.camera_seeds[:, view])
        np.testing.assert_allclose(known.logits[:, view, 0], one.logits(seen), atol=2e-3)
    unmixed = view_logits.compute_view_logits([one], images.images, **settings)
    np.testing.assert_array_equal(unmixed.draws, known.draws)
    assert unmixed.mixing_draws is None
    assert (unmixed.logits != known.logits).any()
    with pytest.raises(ValueError, match="cannot be averaged"):
        known.averaged()


def test_stored_logits_belong_to_one_mixing_and_old_ones_stay_valid(image_set, teacher, tmp_path):
    images, one = image_set(4), teacher("one")
    settings = {"policy": "dihedral", "views": 1, "seed": 3, "folder": tmp_path}
    view_logits.compute_view_logits([one], images.images, **settings)
    pixels = hashlib.sha256(images.images.tobytes()).hexdigest()
    digest = hashlib.sha256(f"{one.digest()} {pixels} dihedral 3 0".encode()).hexdigest()[:32]
    assert [path.name for path in tmp_path.glob("*.npy")] == [f"one-{digest}.npy"]
    for changed in ({"method": "mixup"}, {"method": "cutmix"}, {"method": "mixup", "share": 1}, {"alpha": 0.2}):
        mixing = MixingConfig(**{"method": "both"} | changed)
        view_logits.compute_view_logits([one], images.images, mixing=mixing, **settings)
    assert len(list(tmp_path.glob("*.npy"))) == 5


def test_a_missing_view_is_mixed_again_in_the_same_way(image_set, teacher, tmp_path):
    images, one, mixing = image_set(6), [teacher("one")], MixingConfig(method="mixup", share=1)
    settings = {"policy": "satellite", "views": 2, "seed": 0, "folder": tmp_path, "mixing": mixing}
    first = view_logits.compute_view_logits(one, images.images, **settings)
    next(tmp_path.glob("*.npy")).unlink()
    again = view_logits.compute_view_logits(one, images.images, **settings)
    np.testing.assert_array_equal(again.logits, first.logits)
    np.testing.assert_array_equal(again.mixing_draws, first.mixing_draws)


def test_damaged_logits_are_computed_again(image_set, teacher, tmp_path, caplog):
    images, one = image_set(4), [teacher("one")]
    settings = {"policy": "dihedral", "views": 1, "seed": 0, "folder": tmp_path}
    first = view_logits.compute_view_logits(one, images.images, **settings)
    (path,) = tmp_path.glob("*.npy")
    whole = path.read_bytes()
    for seed in range(20):
        caplog.clear()
        damage(path, seed)
        again = view_logits.compute_view_logits(one, images.images, **settings)
        assert f"{path} are damaged" in caplog.text
        np.testing.assert_array_equal(again.logits, first.logits)
        assert path.read_bytes() == whole
    # A file of an older version has no record, but it must have the right shape.
    digests.record_of(path).unlink()
    np.save(path, np.zeros((3, 3), np.float16))
    again = view_logits.compute_view_logits(one, images.images, **settings)
    np.testing.assert_array_equal(again.logits, first.logits)


@pytest.mark.parametrize("is_mixed", [False, True])
def test_logits_that_do_not_fit_in_memory_are_the_same(image_set, teacher, tmp_path, monkeypatch, is_mixed):
    images, both = image_set(9), [teacher("one", 1), teacher("two", 2)]
    camera = Mixture({"gain": Range(1.0, 0.5, 0.9)}, 0.7)
    mixing = MixingConfig(method="both", share=0.8) if is_mixed else None
    settings = {"policy": "satellite", "views": 3, "seed": 9, "camera": camera, "mixing": mixing, "batch_size": 4}
    held = view_logits.compute_view_logits(both, images.images, folder=tmp_path / "held", **settings)
    monkeypatch.setitem(limits.DEFAULTS, limits.HELD, 0)
    np.save(tmp_path / "images.npy", images.images)
    rows = on_disk.Rows.open(tmp_path / "images.npy")
    read = view_logits.compute_view_logits(both, rows, folder=tmp_path / "read", **settings)
    for one in both:
        for shard in (1, 2):
            view_logits.ask_shard(one, rows, store=tmp_path / "store", shard=shard, shards=2, **settings)
    asked = view_logits.compute_view_logits(both, rows, folder=tmp_path, store=tmp_path / "store", **settings)
    names = {path.name: path.read_bytes() for path in (tmp_path / "held").glob("*.npy")}
    assert names == {path.name: path.read_bytes() for path in (tmp_path / "read").glob("*.npy")}
    every = [each.ravel() for each in np.meshgrid(np.arange(9), np.arange(3))]
    for far in (read, asked):
        for name in ("logits", "draws", "camera_seeds", *(("mixing_draws",) if is_mixed else ())):
            assert not isinstance(getattr(far, name), np.ndarray)
            found, expected = (view_numbers.values_at(getattr(each, name), *every) for each in (far, held))
            # Batches of shards are others, so sums may be in another order.
            np.testing.assert_allclose(found, expected, atol=2e-3 if name == "logits" else 0)
        np.testing.assert_allclose(far.of_first_view(), held.logits[:, 0], atol=2e-3)
        if not is_mixed:
            np.testing.assert_allclose(far.averaged().logits, held.averaged().logits, atol=2e-3)
