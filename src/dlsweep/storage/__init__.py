"""The results of a sweep on disk: one folder, tidy tables in Parquet parts, weights, and the record of the sweep.

Each chunk adds one part to each table. The part of `runs/`, written last, is what makes the chunk count.
"""
