"""Bounded stack and time: how many bytes and instructions a call of the row engine takes."""
