"""Executors, which train chunks in this process or in worker processes.

A worker trains a chunk, writes it and returns a short receipt: arrays never travel between processes.
"""
