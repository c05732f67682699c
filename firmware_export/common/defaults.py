"""Defaults of the command lines; importing them loads no large library."""

SYMBOL = "g_student_model_data"
"""C identifier of the model's array."""

LEAST_IMAGES = 256
"""Minimum number of images on which a model must be verified."""

ERROR_RATE = 0.01
"""Highest error rate allowed among the classifier's answers; determines the abstention threshold."""

FALSE_ALARM_RATE = 0.01
"""Highest rate of false alarms of the drift monitor, per window; determines its bounds."""

DRIFT_WINDOW = 32
"""Number of images after which the drift monitor decides."""

LOWEST_FALSE_ALARM_RATE = 0.001
"""Lowest rate that the export can tell from zero: it draws 10,000 windows."""

LARGEST_DRIFT_WINDOW = 511
"""Largest window: the part adds residuals of at most 64 in int16."""

ENGINE_PREFIX = "satkd"
"""Prefix of the row engine's names and files."""
