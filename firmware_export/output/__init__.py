"""Output of an export besides the C: reports, metadata for build systems, and the folder itself."""
