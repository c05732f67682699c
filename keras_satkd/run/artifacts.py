"""Names of the files that steps of a run write for later steps."""

QUANTIZED_STUDENT_FILE = "student_qat.h5"


INT8_FILE = "student_int8.tflite"


POST_TRAINING_FILE = "student_ptq.tflite"


STUDENT_FILE = "student.keras"


VERIFICATION_FILE = "verification_images.npy"


VALIDATION_FILE = "validation_images.npz"


FIRMWARE_FOLDER = "firmware"
