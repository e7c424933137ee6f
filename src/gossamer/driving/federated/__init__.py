"""Sites that train together by files: each keeps its records, and sends noisy sums that it has paid for."""
