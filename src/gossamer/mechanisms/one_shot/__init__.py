"""One or a few noisy sums over all slots: contributions, plan and releaser."""
