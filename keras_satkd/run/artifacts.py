"""Names of the files that steps of a run write for later steps and for the user."""

from firmware_export.common import digests

CONFIG_FILE = "config.json"


LOCK_FILE = "run.lock"


OWNER_SUFFIX = ".owner"
"""Of a lock's name, on a file system without locks."""


MEETING_FOLDER = "workers"
"""Where processes that train together find each other."""


SPLIT_FILE = "split.json"


SENSOR_FILE = "sensor.toml"


SCALING_FILE = "scaling.json"


QUANTIZED_STUDENT_FILE = "student_qat.h5"


INT8_FILE = "student_int8.tflite"


POST_TRAINING_FILE = "student_ptq.tflite"


STUDENT_FILE = "student.keras"


TEACHERS_FOLDER = "teachers"


ROUNDS_FOLDER = "rounds"


TEACHER_WEIGHTS_FILE = "teacher.weights.h5"


TEACHER_DESCRIPTION_FILE = "teacher.json"


VERIFICATION_FILE = "verification_images.npy"


VALIDATION_FILE = "validation_images.npz"


FIRMWARE_FOLDER = "firmware"


PREDICTIONS_FILE = "test_answers.npz"


REPORT_FILE = "report.html"


MODEL_CARD_FILE = "model_card.md"


def is_of_process(name: str) -> bool:
    """Whether a file or folder of this name in a run's folder belongs to the processes that work on it now."""
    return name in (LOCK_FILE, LOCK_FILE + OWNER_SUFFIX, MEETING_FOLDER)


def is_left_by_kill(name: str) -> bool:
    """Whether a run that is killed before its configuration is written can leave a file or folder of this name."""
    return is_of_process(name) or name == digests.FOLDER or name.startswith(f".{CONFIG_FILE}-")
