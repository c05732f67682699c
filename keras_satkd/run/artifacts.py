"""Names of the files that steps of a run write for later steps and for the user."""

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
