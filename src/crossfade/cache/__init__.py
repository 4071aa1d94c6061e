"""What is computed once and kept on disk for all runs: files, their lock, their bound, their list. No torch."""
