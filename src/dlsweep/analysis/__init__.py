"""Numbers for tables and figures, from the tables of a sweep: intervals, summaries, curves, scores, networks."""
