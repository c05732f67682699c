"""What a model is worth: predictions, metrics, calibration, costs."""
