"""Audits: games of an adversary against a mechanism, and lower bounds on epsilon from the share of games won."""

from gossamer.auditing import mechanism, one_shot, sums_then_samples

# Each registers its audits: see `audits_of`.
__all__ = ["mechanism", "one_shot", "sums_then_samples"]
