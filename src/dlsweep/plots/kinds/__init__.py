"""Kinds of plots, a file each."""
