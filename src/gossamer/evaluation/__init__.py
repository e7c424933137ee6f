"""Scores: arrays in, numbers with intervals out."""
