"""Students, teachers, and the models that ship with the package."""
