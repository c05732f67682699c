"""Training of one network, under teachers or alone."""
