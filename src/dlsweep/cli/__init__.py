"""The command line: a file per command, and what they share."""

from dlsweep.cli.app import main

__all__ = ["main"]
