"""Encoders E: a modality's raw tensor → tokens (B, L, D_e) and their mask (B, L)."""
