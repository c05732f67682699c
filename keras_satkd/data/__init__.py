"""Images in, three disjoint parts out; augmentation and corruptions."""
