"""Sums over Poisson samples of units (DP-SGD): plan, releaser and units."""
