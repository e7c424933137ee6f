"""DP-mixture: training, components and recipes."""
