"""Verify that a model computes the same on the part as in training."""
