"""Microcontrollers: which parts a model fits, and its checks on an emulated one."""
