"""`.tflite` files: parse, check, cut, convert from Keras, and run."""
