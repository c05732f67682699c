"""Loading of images, their split into three disjoint parts, augmentation and corruptions."""
