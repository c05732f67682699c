"""The evidence pack: what an exported folder proves, by the topics that flight software is asked for."""
