"""What command lines must know before anything heavy is imported."""

SYMBOL = "g_student_model_data"
"""C identifier of the model's array."""

LEAST_IMAGES = 256
"""Images on which a model must be verified."""

ERROR_RATE = 0.01
"""Part of the answers that may be wrong, for which the classifier's "unsure" margin is chosen."""

ENGINE_PREFIX = "satkd"
"""What the row engine's names and files begin with."""
