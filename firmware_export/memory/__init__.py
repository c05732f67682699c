"""The memory that TensorFlow Lite Micro works in: the smallest arena, and an offline memory plan."""
