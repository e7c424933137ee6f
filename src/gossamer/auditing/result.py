"""The finding of an audit, beside the claim."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from gossamer.errors import InputError

Detail = tuple[str, str | int | float]


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """A lower bound that holds with some confidence, beside the claim that it must not exceed.

    Attributes:
        kind: name of the audit.
        lower_bound_epsilon: at `delta`, 0 if nothing was shown.
        claimed_epsilon: at `delta`.
        delta: of both.
        confidence: probability with which the lower bound holds, for any mechanism.
        num_games: games, or secret bits, that the bound rests on.
        lower_bound_mu: in terms of Gaussian differential privacy, if the audit gives one.
        claimed_mu: the same of the claim.
        details: further numbers by name.
        note: the meaning of the figures, a sentence or two.

    Raises:
        InputError: a number out of range.
    """

    kind: str
    lower_bound_epsilon: float
    claimed_epsilon: float
    delta: float
    confidence: float
    num_games: int
    lower_bound_mu: float | None = None
    claimed_mu: float | None = None
    details: tuple[Detail, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("lower_bound_epsilon", "claimed_epsilon"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise InputError(f"{name} of an audit must be a number of at least 0, got {getattr(self, name)}")
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence of an audit must lie between 0 and 1, got {self.confidence}")
        if (self.lower_bound_mu is None) != (self.claimed_mu is None):
            raise InputError("lower_bound_mu and claimed_mu of an audit go together: give both or neither")

    @property
    def is_within_claim(self) -> bool:
        """True if no lower bound exceeds its claim."""
        is_mu_within = self.lower_bound_mu is None or self.claimed_mu is None or self.lower_bound_mu <= self.claimed_mu
        return self.lower_bound_epsilon <= self.claimed_epsilon and is_mu_within

    def to_json(self) -> dict[str, object]:
        """Convert to plain types, one key for each attribute, and the verdict."""
        return asdict(self) | {"details": dict(self.details), "is_within_claim": self.is_within_claim}
