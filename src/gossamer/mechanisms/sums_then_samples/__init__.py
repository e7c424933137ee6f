"""One-shot sums and then sums over Poisson samples, in one composition: how the noise is split, plan and account."""
