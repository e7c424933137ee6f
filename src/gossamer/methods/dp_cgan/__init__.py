"""DP-CGAN: training and recipes."""
