"""The report of a run: HTML page, model card, tables, figures."""
