"""Microcontrollers: which parts a model fits, and checks of a model on an emulated part."""
