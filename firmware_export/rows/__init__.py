"""The row engine: an int8 model as data for C99 code that runs it row by row, with TensorFlow Lite Micro's outputs.

`lower` turns a `.tflite` into `layers`, `plan` sizes the ring buffers of rows and schedules the layers, `describe` and
`constants` turn both into words and arrays, `emit` writes these as C, and `compile` calls them in turn. The C code is
in `templates/rows/engine`; it is the same in every export.
"""
