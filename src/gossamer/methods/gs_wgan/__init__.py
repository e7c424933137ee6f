"""GS-WGAN: settings, training and recipes."""
