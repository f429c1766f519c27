"""From tables of runs to statements: intervals and summaries per arm."""
