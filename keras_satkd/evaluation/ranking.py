"""Which images the models are least sure of, for a person to label (uncertainty sampling).

With the mean p of the models' probabilities for an image, in descending order p_1 ≥ p_2 ≥ …, it is less sure if

    margin:      p_1 − p_2 is smaller
    entropy:     −Σ p_c log p_c is larger
    confidence:  p_1 is smaller

Source: Settles, "Active Learning Literature Survey" (2009), section 3.1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import entr, softmax

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import ImageSet
from keras_satkd.data import duplicates
from keras_satkd.evaluation.classifier import Classifier

MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "margin": lambda p: np.diff(np.partition(p, -2, axis=1)[:, -2:], axis=1)[:, 0],
    "entropy": lambda p: -entr(p).sum(axis=1),
    "confidence": lambda p: p.max(axis=1),
}
"""How sure a model is, by name: probabilities, float [N, C], C ≥ 2 → float [N]; the smaller, the less sure."""


@dataclass(frozen=True)
class Ranked:
    """An image in the list.

    Attributes:
        file: its path below the folder or in the zip.
        class_name: the models' answer.
        confidence: the highest probability, in [0, 1].
        margin: the difference between the two highest probabilities, in [0, 1].
    """

    file: str
    class_name: str
    confidence: float
    margin: float


def check_alike(models: Sequence[Classifier]) -> None:
    """Check that the models take the same images and give the same classes.

    Raises:
        UserError: they have one output, or two of them differ in the size, bands or scaling of their images, or in
            their classes.
    """
    first = models[0]
    first.check_outputs()
    named = next((model for model in models if model.class_names), first)
    scaled = next((model for model in models if model.scaling), first)
    for other in models:
        if first.classes != other.classes or first.image_size != other.image_size:
            raise UserError(
                f"{first.name} and {other.name} take images of {first.image_size} and {other.image_size} pixels and "
                f"know {first.classes} and {other.classes} classes: give models of the same size and classes"
            )
        if named.class_names and other.class_names and named.class_names != other.class_names:
            mine, theirs = next((a, b) for a, b in zip(named.class_names, other.class_names, strict=True) if a != b)
            raise UserError(
                f"{named.name} has the class {mine!r} where {other.name} has {theirs!r}: give models with the same "
                "classes in the same order"
            )
        if other.scaling not in (None, scaled.scaling):
            raise UserError(
                f"{scaled.name} and {other.name} were trained on other bands or another scaling of samples: rank with "
                "one of them"
            )


def least_sure(models: Sequence[Classifier], images: ImageSet, count: int, by: str) -> list[Ranked]:
    """The images of which the models are least sure, the least sure first, without near repetitions.

    Args:
        models: of the same classes.
        images: uint8 [N, S, S, C], N ≥ 1; the first part of their names is left out in the result.
        count: most images to list.
        by: one of `MEASURES`.
    """
    probabilities = np.mean([softmax(model.logits(images.images), axis=1) for model in models], axis=0)
    order = np.argsort(MEASURES[by](probabilities), kind="stable")
    chosen = order[~duplicates.repeated(images.take(order))][:count]
    named = next((model.class_names for model in models if model.class_names), None)
    names = named or tuple(map(str, range(models[0].classes)))
    margins = MEASURES["margin"](probabilities)
    return [
        Ranked(
            images.files[at].split("/", 1)[1],
            names[probabilities[at].argmax()],
            float(probabilities[at].max()),
            float(margins[at]),
        )
        for at in chosen
    ]
