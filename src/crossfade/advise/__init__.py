"""What kind of fusion a data set asks for: how its modalities' information adds up, and whether a sweep bore it out."""
