"""Executors, the results on disk, and the sweep that ties them.

A worker trains a chunk, writes it and hands back a receipt: arrays never travel between processes. On disk a sweep is a
folder; each chunk adds one part to each of its tables, and the part of `runs/`, written last, is what makes it count.
"""
