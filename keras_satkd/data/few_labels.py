"""Training on few labels: the labels of most training images are set aside."""

from dataclasses import replace

import numpy as np

from firmware_export.images.image_set import ImageSet

CLASS = "unlabelled"
"""The only class of a set of unlabelled images, and the first part of its images' names."""


def divide(train: ImageSet, labels_per_class: int) -> tuple[ImageSet, ImageSet | None]:
    """The images that keep their labels, and the others without theirs.

    The first images of each class in the order of `train` keep them. That is a hash order (`splits.hash_order`), so the
    choice is random, the same for the same `data.seed`, and nested: five labels a class are among twenty.

    Args:
        train: training images.
        labels_per_class: at least 1; a class with fewer images keeps all labels.

    Returns:
        Labelled images, and images of the class `CLASS` in the same order; None if every image keeps its label.
    """
    rank = np.empty(len(train), np.intp)
    for label in range(len(train.class_names)):
        of_class = np.flatnonzero(train.labels == label)
        rank[of_class] = np.arange(len(of_class))
    labelled, others = (
        train.take(np.flatnonzero(each)) for each in (rank < labels_per_class, rank >= labels_per_class)
    )
    if not len(others):
        return labelled, None
    hidden = replace(
        others,
        labels=np.zeros(len(others), np.int32),
        files=tuple(f"{CLASS}/{file}" for file in others.files),
        class_names=(CLASS,),
    )
    return labelled, hidden


def joined(one: ImageSet | None, other: ImageSet | None) -> ImageSet | None:
    """Unlabelled images from both; None without any. Their bands and sizes are those of the run."""
    if one is None or other is None:
        return one or other
    return ImageSet(
        np.concatenate([one.images, other.images]),
        np.concatenate([one.labels, other.labels]),
        (*one.files, *other.files),
        one.class_names,
        bands=one.bands,
    )
