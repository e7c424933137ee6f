"""Words that the public registry of deployments has for an entry (OpenDP and NIST, schema of July 2026)."""

from __future__ import annotations

from typing import Literal

Sector = Literal["Technology", "Healthcare", "Education", "Government", "Energy", "Finance"]
Variant = Literal["Pure DP", "Approximate DP", "Zero-concentrated DP", "Renyi DP", "Custom"]
TrustModel = Literal["Local", "Central", "Shuffle", "Federated", "Varies"]
