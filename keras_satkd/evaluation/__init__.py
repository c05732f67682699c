"""Evaluation of models: predictions, metrics, calibration, costs."""
