"""The full pipeline, one file a step; `steps` has them in order."""
