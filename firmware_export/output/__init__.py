"""What an export writes beside the C: reports, metadata of build systems, the folder itself."""
