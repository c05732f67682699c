"""The README's Python, run as it stands on a handful of images."""

import numpy as np
import pytest
from markdown_text import ROOT, fences, text

from keras_satkd.data import synthetic

SNIPPETS = [fence.text for fence in fences(text(ROOT / "README.md")) if fence.language == "python"]


def test_there_is_one():
    assert len(SNIPPETS) == 1


@pytest.mark.slow
def test_it_trains_a_student():
    """Its names `images` and `labels` are the reader's."""
    scenes = synthetic.scenes(20, seed=0, image_size=64)
    names = {"images": scenes.images, "labels": scenes.labels}
    exec(SNIPPETS[0], names)
    losses = names["distiller"].history.history["loss"]
    assert len(losses) == 20
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0]
