"""What a training minimizes: the labels' part, the teachers' part, and their blend. Pure functions.

Each distillation loss has a module of its own, whose object in capitals `registry.LOSSES` names. `Loss` says what a
loss needs, and `Seen` what it gets.
"""

from keras_satkd.losses.at import attention_transfer
from keras_satkd.losses.blend import blend
from keras_satkd.losses.dist import relations
from keras_satkd.losses.dkd import decoupled
from keras_satkd.losses.ground_truth import balanced_weights, ground_truth_loss
from keras_satkd.losses.kdiga import gradient_distance
from keras_satkd.losses.kl import divergence
from keras_satkd.losses.loss import Loss, Seen, as_loss
from keras_satkd.losses.mimkd import mutual_information
from keras_satkd.losses.zscore import standardized

__all__ = [
    "Loss",
    "Seen",
    "as_loss",
    "attention_transfer",
    "balanced_weights",
    "blend",
    "decoupled",
    "divergence",
    "gradient_distance",
    "ground_truth_loss",
    "mutual_information",
    "relations",
    "standardized",
]
