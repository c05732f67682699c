"""The row engine: an int8 model as one C99 file that evaluates it row by row, with TensorFlow Lite Micro's answers.

`lowering` turns a `.tflite` into `layers`, `plan` finds the rings of rows they need and the order in which they run,
and `emit` writes the C.
"""
