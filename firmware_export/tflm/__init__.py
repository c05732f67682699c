"""The C++ files for TensorFlow Lite Micro."""
