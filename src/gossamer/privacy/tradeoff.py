r"""The gain of an attacker: the largest rate at which a record is caught, for each rate of false alarms.

An attacker looks at a release and wants to decide if one record was among the records learnt from. Every way to decide
has two rates. The rate of false alarms is alpha: the record was not there, and is accused. The rate of misses is beta:
the record was there, and is not accused. A guarantee is a curve f: no way to decide has a rate of misses below
f(alpha).

References:
    Wasserman, Zhou 2010, "A statistical framework for differential privacy", theorem 2.4 (one epsilon and delta).
    Dong, Roth, Su 2022, "Gaussian differential privacy", proposition 2.5 and equation 5 (the curve of many).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError, told
from gossamer.privacy.accounting import profile_by_pld
from gossamer.privacy.event_data import event_of_part
from gossamer.privacy.events import Part, compose_events, flatten
from gossamer.privacy.restated import event_of
from gossamer.privacy.statement import PrivacyStatement

# Six printed digits of a noise multiplier leave half of this at most (`restated.PRINTED_TOLERANCE`).
_LESS_NOISE = 1e-5
_ROUNDING = 1e-9
_DELTAS = (*np.geomspace(1e-5, 0.1, 21), *np.linspace(0.13, 0.93, 24), 0.96, 0.98, 0.99, 0.995, 0.999)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TradeOff:
    r"""The curve that several epsilons and deltas, which hold at once, leave to an attacker.

    .. math:: f(\alpha) = \max_i \max(0, 1 - \delta_i - e^{\epsilon_i} \alpha, e^{-\epsilon_i} (1 - \delta_i - \alpha))

    Guarantee:
        Suppose that every pair holds in both directions. Then no test between two neighbouring data sets has misses
        below f at its rate of false alarms. The test may compute anything from the release. More pairs only bring f
        closer to the truth from below. The bound leaves the attacker at least the true gain, never less.

    Args:
        points: (epsilon, delta), at least one pair, with epsilon at least 0 and delta in [0, 1].

    Raises:
        InputError: no point, or one out of range.

    Example:
        >>> nearly_nothing = TradeOff(points=((0.1, 1e-6),))
        >>> round(nearly_nothing.largest_catch_rate(0.01), 4)
        0.0111
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise InputError("a trade-off needs at least one epsilon with its delta: give one point or more")
        for epsilon, delta in self.points:
            if not (math.isfinite(epsilon) and epsilon >= 0 and 0 <= delta <= 1):
                raise InputError(
                    f"epsilon must be finite and at least 0, and delta must lie in [0, 1], not {epsilon} and {delta}"
                )

    def smallest_miss_rate(self, false_alarm_rate: float) -> float:
        """Return f: no attack has a rate of misses below it.

        Args:
            false_alarm_rate: alpha, in [0, 1].

        Returns:
            In [0, 1 - alpha].
        """
        alpha = float(false_alarm_rate)
        if not 0 <= alpha <= 1:
            raise InputError(f"a rate of false alarms must lie in [0, 1], not {false_alarm_rate}")
        epsilon, delta = np.array(self.points, dtype=np.float64).T
        # An exponent beyond these changes nothing: the branch is far below 0, or 0.
        steep = 1 - delta - np.exp(np.minimum(epsilon, 700.0)) * alpha
        flat = np.exp(-epsilon) * (1 - delta - alpha)
        # Privacy: rounded down, so that the attacker is never promised less than there is.
        return max(0.0, float(np.max(np.maximum(steep, flat))) - _ROUNDING)

    def largest_catch_rate(self, false_alarm_rate: float) -> float:
        """Return 1 - f: the largest share of present records that is recognised at this rate of false alarms.

        Example:
            >>> TradeOff(points=((0.0, 0.0),)).largest_catch_rate(0.25) < 0.2500001
            True
        """
        return 1.0 - self.smallest_miss_rate(false_alarm_rate)

    def largest_guess_rate(self, num_values: int) -> float:
        r"""Return the largest success of guessing one of k equally likely values of one unit: 1 - f(1/k).

        Let the release have the law :math:`P_i` if the unit has value i, and Q for one fixed neighbour of all of them.
        An attacker names value i on the event :math:`A_i`, and these events are disjoint. A test between Q and
        :math:`P_i` that accuses on :math:`A_i` has false alarms :math:`q_i = Q(A_i)`, so that
        :math:`P_i(A_i) \leq 1 - f(q_i)`. As 1 - f is concave and grows, and the :math:`q_i` sum to at most 1, the mean
        over i is at most :math:`1 - f(1/k)`.

        Guarantee:
            For any attacker, under any adjacency. If a unit comes or leaves, Q is the law without it. If it is
            replaced, Q is the law at one of the values.

        Args:
            num_values: k, at least 1. The release aside, the attacker knows no more than that all k are alike.

        Raises:
            InputError: a number below 1.

        References: Hayes, Balle, Mahloujifar 2023, "Bounding training data reconstruction in DP-SGD", theorem 2.

        Example:
            >>> 0.1 <= TradeOff(points=((0.0, 0.0),)).largest_guess_rate(10) < 0.1000001
            True
            >>> round(TradeOff(points=((1.0, 0.0),)).largest_guess_rate(10), 4)
            0.2718
        """
        if isinstance(num_values, bool) or not isinstance(num_values, int) or num_values < 1:
            raise InputError(f"num_values must be a whole number of at least 1, not {told(num_values)}")
        return self.largest_catch_rate(1 / num_values)


def trade_off(event: DpEvent) -> TradeOff:
    """Compute the curve of a mechanism, from its whole profile of epsilons over deltas.

    Guarantee:
        As ``TradeOff``, under the adjacency of the event: both accountants bound both directions.

    Args:
        event: made by the functions of ``events``.

    Raises:
        PrivacyError: adjacencies are mixed, or a mechanism has no price.
        ArithmeticError: its numbers are too large or too small to compute with.
    """
    bounds = profile_by_pld(event, [float(delta) for delta in _DELTAS])
    return TradeOff(points=tuple((bound.epsilon, bound.delta) for bound in bounds if math.isfinite(bound.epsilon)))


def trade_off_of(statement: PrivacyStatement) -> TradeOff:
    """Compute the curve of a statement: of its mechanism's whole profile, and of the pair that it claims.

    Guarantee:
        As ``trade_off``, if the statement is true.

    Args:
        statement: of any method of this library.

    Raises:
        InputError: a number is missing.
        PrivacyError: as ``trade_off``.
        ArithmeticError: as ``trade_off``.
    """
    # Privacy: a little less noise than stated, since one number is printed to six digits only.
    worse = compose_events(*map(_with_less_noise, flatten(event_of(statement))))
    return TradeOff(points=(*trade_off(worse).points, (statement.epsilon, statement.delta)))


def _with_less_noise(part: Part) -> DpEvent:
    return event_of_part(dataclasses.replace(part, noise_multiplier=part.noise_multiplier * (1 - _LESS_NOISE)))
