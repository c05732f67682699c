"""The drift monitor: the part compares its images with the validation images, and says when they differ."""
