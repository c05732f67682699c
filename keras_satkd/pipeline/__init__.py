"""The full pipeline, with one module per step; `steps` runs them in order."""
