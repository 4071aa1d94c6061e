"""What a run leaves at its end: tables, verdicts, figures."""
