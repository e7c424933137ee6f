"""Audits: games that an adversary plays against a mechanism, and lower bounds on epsilon from how often it wins."""
