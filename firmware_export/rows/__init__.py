"""The row engine: an int8 model as one C99 file that runs it row by row, with the outputs of TensorFlow Lite Micro.

`lower` turns a `.tflite` into `layers`, `plan` sizes the ring buffers of rows and schedules the layers, `emit` writes
the C, and `compile` calls them in turn.
"""
