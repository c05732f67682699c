"""Defaults of the command lines; importing them loads no large library."""

SYMBOL = "g_student_model_data"
"""C identifier of the model's array."""

LEAST_IMAGES = 256
"""Minimum number of images on which a model must be verified."""

ERROR_RATE = 0.01
"""Highest error rate allowed among the classifier's answers; determines the abstention threshold."""

ENGINE_PREFIX = "satkd"
"""Prefix of the row engine's names and files."""
