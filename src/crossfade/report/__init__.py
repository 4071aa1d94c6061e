"""A run as one self-contained HTML page: what came out, what it rests on, where it goes wrong, what it costs."""
