"""Reads images for both packages: folders, zips and arrays, decoded in one way for all purposes."""
