"""Results of a sweep: one folder with tidy tables in Parquet parts, weights, and the record of the sweep.

Each chunk adds one part to each table. Its part of `runs/` is written last; only then the chunk counts.
"""
