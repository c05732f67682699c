"""Figures of a run's results, as SVG for pages and as PNG for folders.

A panel is a figure of its own, `PANEL` inches wide: pages put panels beside or below each other as the screen allows,
and their letters keep their size.
"""
