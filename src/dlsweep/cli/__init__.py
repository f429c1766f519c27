"""Command line: one file for each command, and shared parts."""

from dlsweep.cli.app import main

__all__ = ["main"]
