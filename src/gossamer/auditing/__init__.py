"""Audits: games of an adversary against a mechanism, and lower bounds on epsilon from the share of games won."""
