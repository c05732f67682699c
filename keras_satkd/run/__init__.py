"""The folder of a run: configuration, finished steps, training history, hardware."""
