"""Trained networks of other formats than this project's, as networks of teachers."""
