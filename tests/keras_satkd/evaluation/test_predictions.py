from dataclasses import replace

import numpy as np

from keras_satkd.evaluation import predictions


def test_classes_with_the_most_errors_are_shown_where_there_are_many(monkeypatch, image_set):
    monkeypatch.setattr(predictions, "MOST_CLASSES", 2)
    test = image_set(30)
    logits = np.eye(3, dtype=np.float32)[test.labels] * 5
    logits[test.labels == 1] = [9, 0, 0]
    mistaken = np.flatnonzero(test.labels == 2)[4]
    logits[mistaken] = [0, 9, 0]
    found = predictions.collect({"int8": logits}, test, "int8")
    assert set(test.labels[found.examples]) == {1, 2}
    assert mistaken in found.examples
    assert len(found.examples) == predictions.WRONG + predictions.CORRECT + 1


def test_saved_and_loaded_they_are_the_same(tmp_path, image_set):
    test = image_set(12)
    logits = {name: np.random.default_rng(seed).normal(size=(12, 3)) for seed, name in enumerate(("float", "int8"))}
    found = predictions.collect(logits, test, "int8")
    found.save(tmp_path / predictions.FILE)
    loaded = predictions.load(tmp_path / predictions.FILE)
    assert (loaded.models, loaded.files) == (found.models, found.files)
    for model in loaded.models:
        for one, other in zip(loaded.of(model), found.of(model), strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded.images, test.images[found.examples])


def test_examples_are_in_true_or_false_colors(image_set):
    test = image_set(12)
    test = replace(test, images=np.concatenate([test.images, test.images[..., :1] // 2], axis=-1))
    logits = {"int8": np.random.default_rng(0).normal(size=(12, 3))}
    for rgb, channels in (((3, 1, 0), (3, 1, 0)), (None, (0, 1, 2))):
        found = predictions.collect(logits, test, "int8", rgb)
        np.testing.assert_array_equal(found.images, test.images[found.examples][..., list(channels)])
    assert predictions.color_channels(1, None) == (0, 0, 0)
    assert predictions.color_channels(2, None) == (0, 1, 1)
