"""Data sets by name: each registered function takes its settings and returns a `Dataset`."""
