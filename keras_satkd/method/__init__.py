"""The parts of a `Distiller`'s training step, and the ways of teaching that change it."""
