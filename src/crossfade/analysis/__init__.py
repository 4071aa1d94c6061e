"""Statistics, tables and figures of finished runs, in NumPy: nothing here needs torch."""
