"""The statement of a released generator: its claim, the units that it protects, and its assumptions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from gossamer.errors import InputError, PrivacyError, told
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import check_delta, check_number
from gossamer.privacy.event_data import event_of_parts, from_data, to_data
from gossamer.privacy.events import Part, find_adjacency
from gossamer.privacy.site_claims import SiteClaim, describe_sites, read_site_claims
from gossamer.privacy.truncation import check_truncation

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
Parameter = tuple[str, str | int | float]

FORMAT_VERSION = 3
_OLDEST_FORMAT = 1
_SINCE_2 = ("gossamer_version", "date", "run_id", "num_only_copies", "mu", "rho", "epsilon_replaced")
_SINCE_3 = ("event",)
_LONGEST_TEXT = 10_000
_MOST_ENTRIES = 100

INSECURE_LINE = "INSECURE: made with deterministic test noise. Nothing below is guaranteed; share nothing of it."

HUMAN_VOIDS_IT = (
    "a person who chooses, stops or repeats runs after looking at results on the private data, and acts on them "
    "without declaring those runs, voids the guarantee"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrivacyStatement:
    """One claim of differential privacy, complete enough to be checked by somebody else.

    Guarantee:
        The object states a guarantee and proves none: build it from the plan that the run follows, never by hand.

    Args:
        mechanism: name of the mechanism that was run: "one-of-K subsampled Gaussian", ...
        adjacency: relation that makes data sets neighbours.
        unit: content of one slot. Under ``PERSON`` no number of records may stand in the parameters.
        num_slots: public number of slots.
        epsilon: the figure claimed, an upper bound, at least 0.
        delta: in (0, 1 / num_slots).
        epsilon_rdp: the second upper bound, by RDP, if it was computed.
        noise_multiplier: noise / L2 sensitivity.
        clip_norm: L2 bound of one answer.
        parameters: the mechanism's other public numbers, as (name, value): num_critics, num_steps, batch_size, ...
        accountants: (name, version) of the software that computed epsilon.
        num_tuning_runs: runs on the same private data before this one, as declared by the user.
        public_inputs: sentences on the inputs taken as public.
        covered: sentences on the things that the guarantee covers and that may be shared.
        not_covered: sentences on the things that the guarantee does not cover.
        truncation_delta: bound on the part of delta that the noise's finite range adds.
        is_secure: False if the noise was deterministic. The text then says so in its first line.
        published_epsilon: figure that the published system would have printed, if there is one.
        published_caveat: reason why that figure does not hold, required beside it.
        gossamer_version: that computed the claim. None if the claim was made before versions were written down.
        date: day of the claim in UTC, ``2026-11-28``.
        run_id: the same in everything that one run releases, so that branches of a copied run can be recognised. None
            if no run folder was kept.
        num_only_copies: number of times that the owner declared a moved or restored run folder the only copy that goes
            on.
        mu: of Gaussian differential privacy, exact for one-shot sums. For all other mechanisms it is the smallest mu
            with a curve that bounds the mechanism's at every delta from the stated one up.
        rho: of zero-concentrated differential privacy, if it is known.
        epsilon_replaced: price of one unit replaced by another at the same delta, if the claim is of a unit that comes
            or leaves.
        event: the elementary mechanisms of the run as data, which an accountant can price. None for a statement of an
            older format.
        sites: the claims of sites that trained together, each for its own units. Empty for records of one place.

    Raises:
        InputError: a number is out of range or not finite, or the published figure stands without its caveat.
        PrivacyError: delta is not below 1 / num_slots, or not above the truncation's part of it. Or the event is priced
            for another adjacency.
    """

    mechanism: str
    adjacency: Adjacency
    unit: Unit
    num_slots: int
    epsilon: float
    delta: float
    epsilon_rdp: float | None
    noise_multiplier: float
    clip_norm: float | None
    parameters: tuple[Parameter, ...]
    accountants: tuple[tuple[str, str], ...]
    num_tuning_runs: int
    public_inputs: tuple[str, ...]
    covered: tuple[str, ...]
    not_covered: tuple[str, ...]
    truncation_delta: float
    is_secure: bool
    published_epsilon: float | None = None
    published_caveat: str | None = None
    gossamer_version: str | None = None
    date: str | None = None
    run_id: str | None = None
    num_only_copies: int = 0
    mu: float | None = None
    rho: float | None = None
    epsilon_replaced: float | None = None
    event: tuple[Part, ...] | None = None
    sites: tuple[SiteClaim, ...] = ()

    def __post_init__(self) -> None:
        check_delta(self.delta, self.num_slots)
        _check_number("epsilon", self.epsilon, is_zero_allowed=True)
        _check_number("noise_multiplier", self.noise_multiplier)
        for name in ("epsilon_rdp", "published_epsilon", "mu", "rho", "epsilon_replaced"):
            value = getattr(self, name)
            if value is not None:
                _check_number(name, value, is_zero_allowed=True)
        if self.clip_norm is not None:
            _check_number("clip_norm", self.clip_norm)
        _check_number("truncation_delta", self.truncation_delta, is_zero_allowed=True)
        check_truncation(self.truncation_delta, self.delta, self.noise_multiplier)
        # Privacy: if a slot is a person or recording, the number of records depends on private data.
        if self.unit.is_group and any(name == "num_records" for name, _ in self.parameters):
            raise PrivacyError(
                f"a statement about {self.unit.plural} must print no number of records: state slots alone"
            )
        for name in ("num_tuning_runs", "num_only_copies"):
            check_number(name, getattr(self, name))
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if (self.published_epsilon is None) != (self.published_caveat is None):
            raise InputError("published_epsilon and published_caveat go together: give both or neither")
        # Privacy: an event that is priced for one change of the data would else be claimed for another.
        priced = None if self.event is None else find_adjacency(event_of_parts(self.event))
        if priced is not None and not priced.covers(self.adjacency):
            raise PrivacyError(
                f"the event of a privacy statement is priced for {priced.value}, which does not cover "
                f"{self.adjacency.value}: state the adjacency that it is priced for"
            )

    def to_json(self) -> dict[str, JsonValue]:
        """Return the content of ``privacy.json`` in plain types, which ``from_json`` reads back."""
        # Absent without sites, so that such a statement reads in versions that knew none.
        sites: dict[str, JsonValue] = {"sites": [claim.to_json() for claim in self.sites]} if self.sites else {}
        return sites | {
            "format_version": FORMAT_VERSION,
            "mechanism": self.mechanism,
            "adjacency": self.adjacency.value,
            "unit": self.unit.value,
            "num_slots": self.num_slots,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "epsilon_rdp": self.epsilon_rdp,
            "noise_multiplier": self.noise_multiplier,
            "clip_norm": self.clip_norm,
            "parameters": dict(self.parameters),
            "accountants": dict(self.accountants),
            "num_tuning_runs": self.num_tuning_runs,
            "public_inputs": list(self.public_inputs),
            "covered": list(self.covered),
            "not_covered": list(self.not_covered),
            "truncation_delta": self.truncation_delta,
            "is_secure": self.is_secure,
            "published_epsilon": self.published_epsilon,
            "published_caveat": self.published_caveat,
            "gossamer_version": self.gossamer_version,
            "date": self.date,
            "run_id": self.run_id,
            "num_only_copies": self.num_only_copies,
            "mu": self.mu,
            "rho": self.rho,
            "epsilon_replaced": self.epsilon_replaced,
            "event": None if self.event is None else [to_data(part) for part in self.event],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> PrivacyStatement:
        """Read a document of ``to_json``, in this format or an older one. Values that an older one lacks are None.

        Raises:
            InputError: a key is missing or unknown, or a value is not of the right kind.
        """
        if not isinstance(document, Mapping):
            raise InputError(f"a privacy statement is read from a mapping, not from {told(document)}")
        version = document.get("format_version")
        if not _is_count(version) or not _OLDEST_FORMAT <= version <= FORMAT_VERSION:  # type: ignore[operator]
            raise InputError(
                f"the privacy statement is of none of the formats {_OLDEST_FORMAT} to {FORMAT_VERSION}: use the "
                "version of gossamer that wrote it"
            )
        for first_version, names in ((2, _SINCE_2), (3, _SINCE_3)):
            if version < first_version and not set(names) & set(document):  # type: ignore[operator]
                document = {name: 0 if name == "num_only_copies" else None for name in names} | dict(document)
        expected = {field.name for field in dataclasses.fields(cls)} | {"format_version"}
        expected -= {"sites"} - set(document)
        for problem, keys in (("lacks", expected - set(document)), ("has the unknown key", set(document) - expected)):
            if keys:
                raise InputError(f"the privacy statement {problem} {sorted(keys)[0]!r}: use the file as it was written")
        values = {name: value for name, value in document.items() if name != "format_version"}
        for name, value in document.items():
            if not _KINDS[name](value):
                raise InputError(f"the privacy statement has no {name} as it must be: use the file as it was written")
        try:
            return cls(**_restore(values))
        except InputError:
            raise
        except (TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise InputError(f"the privacy statement is damaged ({error}): use the file as it was written") from None

    def to_markdown(self) -> str:
        """Write the statement in plain words: the text of ``PRIVACY.md``."""
        sections = (
            [] if self.is_secure else [INSECURE_LINE, ""],
            ["# Privacy statement", ""],
            self.describe_claim(),
            self._describe_list("What may be shared", self.covered),
            self._describe_list("What is not covered, and stays private", self.not_covered),
            self._describe_list("What was taken as public", self.public_inputs),
            self._describe_list("What voids it", self.voids()),
            self._describe_list("What is assumed", self.assumptions()),
            self._describe_numbers(),
            self._describe_published(),
        )
        return "\n".join(line for section in sections for line in section).rstrip() + "\n"

    def describe_claim(self) -> list[str]:
        """Describe the claim itself in plain words, as lines of Markdown."""
        verdict = "is" if self.is_secure else "would be"
        epsilon = shown_epsilon(self.epsilon)
        return [
            f"What is released {verdict} {self._figures}.",
            "",
            f"{self.adjacency.describe(self.unit)} Whatever anybody computes from what is released, its probability "
            f"differs between two such data sets by a factor of at most e^{epsilon}, up to {self.delta:g} "
            "of probability. A smaller epsilon protects better; above ten the factor alone promises little.",
            "",
            *describe_sites(self.sites, self.unit.value, shown_epsilon),
        ]

    @property
    def claim(self) -> str:
        """The claim in one clause, to follow "it is". Its epsilon is rounded up."""
        return self._figures if self.is_secure else "not private, because its noise was not secret"

    @property
    def _figures(self) -> str:
        return f"({shown_epsilon(self.epsilon)}, {self.delta:g})-differentially private for {self.unit.whole}"

    def voids(self) -> tuple[str, ...]:
        """Return sentences on the acts that make the guarantee void."""
        tuning = "none" if self.num_tuning_runs == 0 else str(self.num_tuning_runs)
        return (
            HUMAN_VOIDS_IT + f" (earlier runs on the same data declared here: {tuning}; their cost is not included)",
            "publishing anything of the private side: critics, checkpoints, ledger, figures or pictures of real data",
            "another release from the same data: its epsilon and delta add to these",
            *self._voided_by_copies(),
            "numbers of slots, settings or other public inputs that were chosen by looking at the private data",
        )

    def _voided_by_copies(self) -> tuple[str, ...]:
        """Return a sentence on a run folder that was moved or restored, or none if it was not."""
        if not self.num_only_copies:
            return ()
        return (
            "another copy of the run folder that was trained further: this folder was moved, copied or restored, and "
            f"its owner declared {self.num_only_copies} times that no other copy goes on",
        )

    def assumptions(self) -> tuple[str, ...]:
        """Return sentences on the assumptions of the proof."""
        return (
            "the guarantee is proved for real arithmetic",
            f"the finite range of the noise adds at most {self.truncation_delta:.2g} to delta",
            "contributions and noise are rounded to a public grid, each by itself, and summed as integers; a float64 "
            "approximation stands for the normal law before it is rounded to the grid, and its error is not priced",
            "noise and coins come from a keyed generator, which is assumed to be indistinguishable from true "
            "randomness, and whose key was never written down",
        )

    @property
    def is_of_first_format(self) -> bool:
        """True if an older version made the statement, which wrote neither its version nor the day."""
        return self.gossamer_version is None

    def _describe_numbers(self) -> list[str]:
        versions = ", ".join(f"{name} {version}" for name, version in self.accountants)
        rows: list[tuple[str, object]] = [
            ("mechanism", self.mechanism),
            ("adjacency", self.adjacency.value),
            ("unit of protection", self.unit.value),
            ("number of slots", self.num_slots),
            ("epsilon (claimed, upper bound)", shown_epsilon(self.epsilon)),
            ("delta", f"{self.delta:g}"),
            (
                "epsilon by RDP (looser)",
                "not computed" if self.epsilon_rdp is None else shown_epsilon(self.epsilon_rdp),
            ),
            *self._other_prices(),
            ("noise multiplier", f"{self.noise_multiplier:.6g}"),
            ("clip norm", "not used" if self.clip_norm is None else f"{self.clip_norm:g}"),
            *((name.replace("_", " "), value) for name, value in self.parameters),
            ("tuning runs declared", self.num_tuning_runs),
            ("computed with", versions),
            *self._origin(),
        ]
        return ["## Numbers", "", "| what | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows), ""]

    def _other_prices(self) -> list[tuple[str, object]]:
        """Return rows of the same guarantee in other currencies, and for another change of the data."""
        rows: list[tuple[str, object]] = []
        if self.epsilon_replaced is not None:
            replaced = f"epsilon for {self.unit.protected} replaced by any other, at the same delta"
            rows.append((replaced, shown_epsilon(self.epsilon_replaced)))
        if self.mu is not None:
            exact = self.rho is not None
            what = "mu of Gaussian DP" if exact else "mu of Gaussian DP (holds from this delta up)"
            rows.append((what, f"{math.ceil(self.mu * 1e4) / 1e4:.4f}"))
        if self.rho is not None:
            rows.append(("rho of zero-concentrated DP", f"{math.ceil(self.rho * 1e4) / 1e4:.4f}"))
        return rows

    def _origin(self) -> list[tuple[str, object]]:
        """Return rows of the claim's run, day and version."""
        rows: list[tuple[str, object]] = [
            ("run", self.run_id),
            ("day (UTC)", self.date),
            ("version of gossamer", self.gossamer_version),
        ]
        if self.num_only_copies:
            rows.append(("times a moved or restored folder was declared the only copy", self.num_only_copies))
        return [row for row in rows if row[1] is not None]

    def _describe_published(self) -> list[str]:
        if self.published_epsilon is None:
            return []
        return [
            "## The published figure",
            "",
            f"For these settings the published system computes epsilon {self.published_epsilon:.4g}. "
            f"{self.published_caveat}",
            "",
        ]

    @staticmethod
    def _describe_list(title: str, sentences: tuple[str, ...]) -> list[str]:
        return [f"## {title}", "", *(f"- {sentence}" for sentence in sentences or ("nothing",)), ""]


def _check_number(name: str, value: float, *, is_zero_allowed: bool = False) -> None:
    check_number(f"{name} of a privacy statement", value)
    is_above = value >= 0 if is_zero_allowed else value > 0
    if not (math.isfinite(value) and is_above):
        raise InputError(f"{name} of a privacy statement must be finite and positive, not {told(value)}")


def shown_epsilon(epsilon: float) -> str:
    """Return epsilon to three decimals as text, never rounded down."""
    return f"{round_up(epsilon):.3f}"


def shown_finely(epsilon: float) -> str:
    """Return epsilon to six digits as text, never rounded down, to set figures apart that differ little.

    >>> shown_finely(9.1800001), shown_finely(1.0)
    ('9.18001', '1')
    """
    if not 0 < epsilon < math.inf:
        return f"{epsilon:g}"
    unit = 10.0 ** (math.floor(math.log10(epsilon)) - 5)
    return f"{math.ceil(epsilon / unit * (1 - 1e-15)) * unit:.6g}"


def round_up(epsilon: float) -> float:
    """Return epsilon to three decimals as a number, never rounded down."""
    # Privacy: a printed figure below the proved one would be a false claim.
    return math.ceil(epsilon * 1000.0) / 1000.0


def _is_text(value: object) -> bool:
    # The text is printed on terminals and in pages: no line break, nothing that a terminal would obey.
    return isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_TEXT


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: object) -> bool:
    return _is_count(value) or isinstance(value, float)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _MOST_ENTRIES and all(map(_is_text, value))


def _is_table(value: object) -> bool:
    if not isinstance(value, dict) or len(value) > _MOST_ENTRIES:
        return False
    return all(_is_text(name) and (_is_text(entry) or _is_number(entry)) for name, entry in value.items())


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and 0 < len(value) <= _MOST_ENTRIES and all(map(_is_table, value))


def _or_none(is_kind: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_kind(value)


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "format_version": _is_count,
    "mechanism": _is_text,
    "adjacency": _is_text,
    "unit": _is_text,
    "num_slots": _is_count,
    "epsilon": _is_number,
    "delta": _is_number,
    "epsilon_rdp": _or_none(_is_number),
    "noise_multiplier": _is_number,
    "clip_norm": _or_none(_is_number),
    "parameters": _is_table,
    "accountants": _is_table,
    "num_tuning_runs": _is_count,
    "public_inputs": _is_list,
    "covered": _is_list,
    "not_covered": _is_list,
    "truncation_delta": _is_number,
    "is_secure": lambda value: isinstance(value, bool),
    "published_epsilon": _or_none(_is_number),
    "published_caveat": _or_none(_is_text),
    "gossamer_version": _or_none(_is_text),
    "date": _or_none(_is_text),
    "run_id": _or_none(_is_text),
    "num_only_copies": _is_count,
    "mu": _or_none(_is_number),
    "rho": _or_none(_is_number),
    "epsilon_replaced": _or_none(_is_number),
    "event": _or_none(_is_list_of_tables),
    "sites": lambda value: isinstance(value, list) and len(value) > 0,
}


def _restore(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put enums and tuples in place of the plain types of JSON."""
    restored = dict(values)
    restored["adjacency"] = Adjacency(values["adjacency"])
    restored["unit"] = Unit(values["unit"])
    for name in ("parameters", "accountants"):
        restored[name] = tuple(values[name].items())
    for name in ("public_inputs", "covered", "not_covered"):
        restored[name] = tuple(values[name])
    if values["event"] is not None:
        restored["event"] = tuple(map(from_data, values["event"]))
    if "sites" in values:
        restored["sites"] = read_site_claims(values["sites"])
    return restored
