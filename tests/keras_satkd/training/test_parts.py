import numpy as np
import tensorflow as tf

from keras_satkd.config import MixingConfig
from keras_satkd.training.batches import evaluation_batches, training_batches
from keras_satkd.training.parts import Parts


def test_the_parts_of_a_batch_are_its_rows(image_set):
    images, settings = image_set(13), {"augmentation": "satellite", "seed": 3, "mixing": MixingConfig("both")}
    whole = [list(training_batches(images, batch_size=6, epoch=epoch, **settings)) for epoch in (1, 2)]
    parts = [training_batches(images, batch_size=6, epoch=1, parts=Parts(at, 1, 2), **settings) for at in (0, 1)]
    # Each goes on with the next epoch.
    halves = zip(*(part.take(4).as_numpy_iterator() for part in parts), strict=True)
    for batch, (first, second) in zip([*whole[0], *whole[1]], halves, strict=True):
        joined = tf.nest.map_structure(lambda *values: np.concatenate(values), first, second)
        tf.nest.map_structure(np.testing.assert_array_equal, joined, tf.nest.map_structure(np.array, batch))


def test_the_parts_of_the_last_validation_batch_may_differ(image_set):
    images = image_set(7)
    parts = evaluation_batches(images, 4, parts=Parts(0, 2, 2))
    labels = [batch[1].numpy().tolist() for batch in parts]
    assert [len(each) for each in labels] == [2, 2, 1, 2]
    assert [label for each in labels for label in each] == images.labels.tolist()
