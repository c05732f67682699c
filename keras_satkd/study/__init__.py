"""The paper's comparison of teachers and weighting rules, with additional rows."""
