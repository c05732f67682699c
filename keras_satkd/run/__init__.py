"""A run's folder: configuration, finished steps, training history, hardware."""
