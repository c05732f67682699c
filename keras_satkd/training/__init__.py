"""Training of one network, with or without teachers."""
