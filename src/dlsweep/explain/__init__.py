"""The arithmetic of layers on small numbers, for whoever learns it: what `dlsweep explain` prints."""
