"""Sums over Poisson samples of units (DP-SGD): plan, door and units."""
