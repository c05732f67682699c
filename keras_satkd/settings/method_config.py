"""Settings of the ways of teaching that have a training step of their own. `config` has the others."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from keras_satkd.settings.setting_types import Count, Fraction, NonNegative, Positive, Strict, Threshold


@dataclass(frozen=True)
class FixMatchConfig(Strict):
    """Fine-tuning of teachers on unlabelled images too: sure guesses on weak views are labels of strong views."""

    weight: NonNegative = 0.0
    """Weight of the unlabelled images' loss beside that of the labels (1 in the paper); 0: without them."""
    confidence: Threshold = 0.95
    """The least probability of its class at which a guess is a label."""
    ratio: Count = 7
    """Unlabelled images per labelled image in each step. Fewer of them make a step quicker."""
    strong: str = "strong"
    """Augmentation of the strong views, as `teachers.augmentation`, which makes the weak ones."""


@dataclass(frozen=True)
class AdversarialConfig(Strict):
    """Adversarial concurrent training: the student, on adversarial images, and a network like it, on images as they
    are, teach each other. QAT sees adversarial images too, without the other network."""

    epsilon: Annotated[float, Field(ge=0, le=255, strict=True)] = 0.0
    """Largest change of a pixel by the attack, in levels of 255 (8 is common); 0: no attack and no second network."""
    steps: Count = 7
    """Steps of the attack (PGD) on each training image. Each costs as much time as a training step."""
    step_size: Positive | None = None
    """Change of a pixel in a step, in levels of 255. If not set, 2.5 · epsilon / steps."""
    mutual_share: Threshold = 0.5
    """Fraction of the loss with which the networks follow each other."""


@dataclass(frozen=True)
class CapacityConfig(Strict):
    """A student that begins wider and loses its least important channels while it learns."""

    widest: Annotated[float, Field(ge=1, le=16, strict=True)] = 1.0
    """Width at the beginning, as a multiple of the student's; 1: the student's own width throughout."""
    steps: Count = 4
    """Number of times that channels are removed."""
    until: Fraction = 0.5
    """Fraction of the epochs after which the student has its own width. The best epoch is one of the others."""
