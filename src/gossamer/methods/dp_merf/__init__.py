"""DP-MERF: training and recipes."""
