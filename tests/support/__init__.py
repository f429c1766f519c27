"""Helpers of several tests, and programs that tests start."""

from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
