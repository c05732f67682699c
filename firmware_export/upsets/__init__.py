"""Fault injection: flips bits in what an exported folder runs with, counts what comes of them, and derives rates.

`python -m firmware_export.upsets DIR` is the command. docs/upsets.md explains its results.
"""
