"""A sweep as one self-contained page, with a CSV and a Markdown table: what is best, how sure that is, what matters."""
