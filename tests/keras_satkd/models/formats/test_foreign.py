import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.models.formats.foreign import ForeignNetwork, Layout, digest, layout, one_line, only, outside_graph


@settings(deadline=None)
@given(
    size=st.none() | st.integers(33, 300),
    bands=st.integers(1, 13),
    batch=st.sampled_from([None, 1]),
    is_first=st.booleans(),
)
def test_layouts_of_images(size, bands, batch, is_first):
    shape = (batch, bands, size, size) if is_first else (batch, size, size, bands)
    assert layout("mine", shape) == Layout(size, bands, is_first, batch)
    assert layout("mine", shape).input_shape == (None, size, size, bands)


@pytest.mark.parametrize(
    "shape", [(None, 64), (None, 64, 32, 3), (8, 64, 64, 3), (None, 64, 64, None), (None, 99, 9, 64)]
)
def test_what_is_no_batch_of_images(shape):
    with pytest.raises(UserError, match=r"mine has input shape .*give a model with"):
        layout("mine", shape)


def test_only_one_end():
    assert only("mine", "input", ["x"]) == "x"
    for ends, said in (([], "has 0 outputs: give"), (["a", "b"], r"has 2 outputs \(a, b\): give an image classifier")):
        with pytest.raises(UserError, match=said):
            only("mine", "output", ends)


@pytest.mark.parametrize("batch", [None, 1])
def test_a_library_gets_its_own_order_of_axes(batch):
    seen = []

    def sums(images):
        seen.append(images.shape)
        return images.sum(axis=(2, 3))

    run = tf.function(outside_graph(sums, Layout(4, 2, True, batch), 2))
    images = np.random.default_rng(0).random((3, 4, 4, 2), np.float32)
    np.testing.assert_allclose(run(images), images.sum(axis=(1, 2)), rtol=1e-5)
    assert seen == ([(3, 2, 4, 4)] if batch is None else [(1, 2, 4, 4)] * 3)


def test_a_foreign_network_is_not_trained():
    network = ForeignNetwork(tf.identity, (None, 4, 4, 3), (None, 2), "", 0)
    np.testing.assert_array_equal(network(tf.ones((1, 2))), np.ones((1, 2)))
    with pytest.raises(ValueError, match="cannot be trained"):
        network(tf.ones((1, 2)), training=True)


def test_the_digest_covers_all_files(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(b"12")
    both, size = digest(paths)
    assert (len(both), size) == (64, 4)
    paths[1].write_bytes(b"13")
    assert digest(paths)[0] != both


def test_messages_of_libraries_are_one_line():
    assert one_line(ValueError("a\n b")) == "a b"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line(ValueError("x" * 999))) == 200
