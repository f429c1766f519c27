"""Arithmetic of layers on small numbers, for learning: the texts of `dlsweep explain`."""
