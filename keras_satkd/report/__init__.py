"""The report of a run: page, model card, tables, figures."""
