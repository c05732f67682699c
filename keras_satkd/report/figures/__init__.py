"""Figures of a run's results, as SVG for the HTML page and as PNG files.

Each panel is a separate figure, `PANEL` inches in size: the page arranges panels in rows that fit the screen, and their
text keeps its size.
"""
