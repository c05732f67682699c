"""The paper's comparison of teachers and weighting rules, and rows of our own."""
