"""TensorFlow Lite Micro's working memory: the smallest arena, and an offline memory plan."""
