"""Scores of time series: arrays (batch, channels, time) in, numbers with intervals out."""
