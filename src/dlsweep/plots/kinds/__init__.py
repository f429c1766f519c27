"""The kinds of plots, a file each."""
