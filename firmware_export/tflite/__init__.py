"""A `.tflite` file: parsed, checked, cut, converted from Keras, and run."""
