"""Whether a model computes on the part what it computed in training."""
