"""The private folder of a site: its key, its cap, and for each plan that it joined a ledger and the answers given."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gossamer.driving.federated.plan import MAX_PLAN_BYTES, STUDY, FederatedPlan, SiteTerms
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.errors import InputError, PrivacyError, ResourceError, told
from gossamer.privacy.budget import PrivacyBudget, check_delta
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.events import compose_events, under_replacement
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.priceable import price
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.files import (
    append_durably,
    read_bounded,
    read_json,
    read_lines,
    strict_json,
    write_json,
    write_whole,
)
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import new_identity, read_identity
from gossamer.runs.key_file import read_key, write_key
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.tensor_file import MAX_BYTES

_TOLERANCE: Final = 1e-9
_MAX_LIST_BYTES: Final = 2**24
_ROOM_BESIDE: Final = 2**16
_NUMBER: Final = re.compile(r"round-(\d{1,6})-[0-9a-f]{32}\.safetensors")


@dataclass(frozen=True, kw_only=True)
class JoinedPlan:
    """The part of a site's folder that belongs to one plan.

    Attributes:
        path: of the part, ``private/plans/STUDY``.
        plan: as it was pinned.
        terms: of the site in it.
    """

    path: Path
    plan: FederatedPlan
    terms: SiteTerms

    @property
    def ledger_file(self) -> Path:
        """The file of the charges."""
        return self.path / "ledger.jsonl"

    @property
    def ledger(self) -> Ledger:
        """The charges of the site in this plan."""
        return read_ledger(self.ledger_file)

    @property
    def is_pinned(self) -> bool:
        """True once the plan is kept, so that no other may take its place."""
        return (self.path / "plan.json").is_file()

    def pin(self) -> None:
        """Keep the plan and the name of the site in it. A plan that is kept stays as it is."""
        if self.is_pinned:
            return
        self._contributions.mkdir(parents=True, exist_ok=True)
        write_json(self.path / "site.json", {"site": self.terms.name})
        write_whole(self.path / "plan.json", self.plan.to_bytes())

    def check_charges(self) -> None:
        """Refuse a ledger that lacks the charge of an answer that is kept, or charges a step that the plan has not.

        Raises:
            PrivacyError: it does, so it is not the ledger that was written last.
        """
        charged = self._charged
        names = map(_NUMBER.fullmatch, (one.name for one in self._contributions.glob("round-*")))
        given = Counter(step for name in names if name is not None for step in self.plan.steps_of(int(name[1]) - 1))
        # Privacy: an answer without its charge was paid for in a ledger that is gone.
        if given - charged or any(step >= self.plan.num_steps for step in charged):
            raise PrivacyError(
                f"{self.ledger_file}: does not fit the answers that were given, so it was changed, removed or put back "
                "from a backup; put back the one of the last answer, or begin a new folder, whose epsilon adds to that "
                "of this one"
            )

    def check_givers(self, now: Round) -> None:
        """Refuse a round that builds on an answer of this site of which its ledger knows nothing.

        Raises:
            PrivacyError: it does. Then the folder was put back from a backup, or the file is false.
        """
        for number, names in enumerate(now.givers):
            if self.terms.name in names and not self._charged[self.plan.steps_of(number).start]:
                raise PrivacyError(
                    f"{self.path}: the file says that the site {self.terms.name} answered round {number + 1}, which "
                    "this ledger does not charge: the folder was put back from a backup, or the file is false; put "
                    "back the folder of the last answer, or take no further part in this plan"
                )

    @property
    def _charged(self) -> Counter[int]:
        return Counter(step for entry in self.ledger.entries for step in range(entry.first_step, entry.end_step))

    def lost_steps(self, step: int) -> tuple[int, ...]:
        """List the charges that a round does not build on: rounds asked again, gone back to, or lost in a crash.

        Rounds before this one that the site never answered count as paid. So the site never spends more than its plan.

        Args:
            step: the first private step of the round, from 0.
        """
        return tuple(sorted((self._charged - Counter(range(step))).elements()))

    def kept(self, now: Round) -> bytes | None:
        """Return the answer that the site gave to the same round before, None if it gave none."""
        path = self._answer(now)
        if not path.is_file():
            return None
        content = read_bounded(path, MAX_BYTES)
        if Contribution.read(content, str(path)).round_digest != now.digest:
            raise InputError(f"{path}: not the answer that was written there; put it back, or remove it")
        return content

    def take_room(self, size: int) -> None:
        """Take room on the disk for an answer before it is charged, which a full disk would else lose.

        Args:
            size: of the answer, in bytes.

        Raises:
            ResourceError: there is no room. Nothing is spent.
        """
        write_whole(self._room, bytes(size + _ROOM_BESIDE))

    def keep(self, now: Round, content: bytes) -> None:
        """Keep an answer, in the room taken, so that it can be sent again and is never computed twice."""
        self._room.unlink(missing_ok=True)
        write_whole(self._answer(now), content)

    def check_same_data(self, digest: str) -> None:
        """Keep the digest of the records until the first answer, and refuse other records from then on.

        Raises:
            InputError: they are others.
        """
        path = self.path / "data.sha256"
        if not path.is_file() or not self.ledger.entries:
            write_whole(path, digest.encode())
        elif read_bounded(path, 1000).decode("ascii", errors="replace") != digest:
            raise InputError(
                f"{self.path}: not the records that this site began the plan with, or read otherwise; put them back"
            )

    @property
    def _contributions(self) -> Path:
        return self.path / "contributions"

    @property
    def _room(self) -> Path:
        return self._contributions / "room"

    def _answer(self, now: Round) -> Path:
        return self._contributions / f"round-{now.number + 1}-{now.digest[:32]}.safetensors"


class SiteFolder:
    """The folder of a site. All of it is private, and it is made for the records of one place, for good.

    Guarantee: `pin` keeps a plan, and `joined` refuses another one of its study. `check_cap` holds the price of all
    plans that the site ever answered, and of one more, against its cap. A folder that lost a plan, or charges of an
    answer, is refused. One that was put back whole, in its own place, cannot be told from the last one.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self._folder = RunFolder(path)
        self._plans = self._folder.private / "plans"
        self._cap_file = self._folder.private / "cap.json"
        self._joined_file = self._folder.private / "joined.jsonl"

    @contextlib.contextmanager
    def held(self) -> Iterator[SiteFolder]:
        """Make the folder if it is new, and hold it: a second process is refused.

        Raises:
            InputError: a file in it is gone or damaged.
            PrivacyError: the folder is a copy.
            ResourceError: it cannot be made, or another process holds it.
        """
        folder = self._folder
        try:
            folder.private.mkdir(parents=True, exist_ok=True)
            folder.private.chmod(0o700)
        except OSError as error:
            raise ResourceError(f"{folder.path}: cannot be made ({error.strerror}); name another --folder") from None
        with folder.locked():
            self._begin()
            if not read_identity(folder).is_of(folder):
                # Privacy: two copies would each spend the whole cap, on the same records.
                raise PrivacyError(
                    f"{folder.path}: a copy of the folder of this site, or one put back from a backup; go on in the "
                    "folder itself, or begin a new one, whose epsilon adds to that of this one"
                )
            self._check_all_there()
            yield self

    @property
    def key(self) -> UnitKey:
        """The secret key that divides the records of this site, the same for all plans."""
        return read_key(self._folder)

    def joined(self, plan: FederatedPlan, terms: SiteTerms) -> JoinedPlan:
        """Return the part of the folder for a plan. Nothing is written, so that a refused plan leaves no trace.

        Raises:
            PrivacyError: the study has another plan here, or the site answers under another name.
        """
        asked = JoinedPlan(path=self._plans / plan.study, plan=plan, terms=terms)
        if not asked.is_pinned:
            return asked
        found = self._read(asked.path)
        # Privacy: noise, slots or shares that changed between rounds would make the price of the first plan false.
        if found.plan.digest != plan.digest:
            raise PrivacyError(
                f"{found.path}: this site joined the study with another plan, which nobody may change between rounds; "
                "ask for the file that belongs to the pinned plan"
            )
        # Privacy: under two names the same records would be paid for once and answer twice.
        if found.terms != terms:
            raise PrivacyError(
                f"{found.path}: this folder answers as the site {found.terms.name} in this plan, not as "
                f"{told(terms.name)}; name that site"
            )
        return found

    def pin(self, joined: JoinedPlan) -> None:
        """Keep a plan that is about to be answered, and list its study, so that its loss is seen."""
        joined.pin()
        if joined.plan.study not in self._listed:
            line = json.dumps({"study": joined.plan.study}).encode()
            append_durably(self._joined_file, line, _study, is_first=True)

    def check_cap(self, joined: JoinedPlan, cap: float | None) -> PrivacyBudget:
        """Price all plans that this site has answered together with one more, and hold them against the cap.

        Args:
            joined: the plan that is to be answered now.
            cap: the largest epsilon of all plans together, or None for the one that is kept.

        Returns:
            The price of all plans as planned, as `price_together` computes it.

        Raises:
            InputError: no cap was ever given.
            PrivacyError: the plans together would cost more, their deltas add up to one over the slots, or their units
                differ.
        """
        limit = self._cap(cap)
        others = [one for one in self.answered() if one.path != joined.path]
        plans = [joined, *others]
        if len({one.plan.unit for one in plans}) > 1:
            raise PrivacyError(
                f"{self._folder.path}: this site answered plans for another unit than {joined.plan.unit}, and their "
                "prices do not add up; use another folder, with a cap of its own"
            )
        spent = price_together(plans)
        if spent.epsilon > limit * (1 + _TOLERANCE):
            raise PrivacyError(
                f"this plan and the {len(others)} others of this site cost epsilon {shown_epsilon(spent.epsilon)} at "
                f"delta {spent.delta:g}, more than its cap of {limit:g}; nothing is spent; raise --cap only if those "
                "who own the records agree"
            )
        # Privacy: deltas of plans of networks add up, so that each may be small and their sum is not.
        check_delta(spent.delta, min(one.terms.num_slots for one in plans))
        # Kept only now: a refused attempt neither raises the cap nor lowers it.
        if cap is not None:
            write_json(self._cap_file, {"epsilon": cap})
        return spent

    def answered(self) -> tuple[JoinedPlan, ...]:
        """List the plans that this site has answered, each with its ledger."""
        return tuple(one for one in self._all() if one.ledger.entries)

    def _begin(self) -> None:
        """Give a new folder its key and identity.

        Raises:
            InputError: the folder is not new, and has lost its plans or its identity.
        """
        folder, has_plans = self._folder, self._plans.is_dir() and any(self._plans.iterdir())
        is_begun = folder.identity_file.exists()
        # Privacy: a folder without its plans would have forgotten what it spent.
        if (is_begun and not self._plans.is_dir()) or (has_plans and not is_begun):
            raise InputError(
                f"{folder.private}: plans/ or run.json is missing, and with it what this site has spent; put it back, "
                "or begin a new folder, whose epsilon adds to that of this one"
            )
        if not is_begun:
            write_key(folder, UnitKey.drawn())
            self._plans.mkdir(exist_ok=True)
            new_identity(folder)

    def _cap(self, given: float | None) -> float:
        if given is not None:
            PrivacyBudget(epsilon=given, delta=0.5)
            return given
        if not self._cap_file.is_file():
            raise InputError(
                "--cap is missing: say the largest epsilon that this site may spend in all plans together; it is kept"
            )
        tree = read_json(self._cap_file)
        kept = tree.get("epsilon") if isinstance(tree, dict) else None
        if isinstance(kept, bool) or not isinstance(kept, int | float):
            raise InputError(f"{self._cap_file}: damaged; give --cap again")
        return float(kept)

    @property
    def _listed(self) -> tuple[str, ...]:
        """Studies of all plans that were ever pinned here."""
        path = self._joined_file
        content = read_bounded(path, _MAX_LIST_BYTES) if path.is_file() else b""
        return tuple(read_lines(path, content, _study, "names no study; put the file back, so"))

    def _check_all_there(self) -> None:
        """Refuse a folder that has lost a plan, and with it the charges of that plan.

        Raises:
            InputError: a plan is gone.
        """
        begun = (one.name for one in self._plans.iterdir() if (one / "ledger.jsonl").exists())
        for study in (*self._listed, *begun):
            # Privacy: what was spent on a plan that is forgotten would be spent again.
            if not (self._plans / study / "plan.json").is_file():
                raise InputError(
                    f"{self._plans / study}: plan.json is missing, and with it what this site has spent; put the "
                    "folder of the plan back, or begin a new one, whose epsilon adds to that of this one"
                )

    def _all(self) -> Iterator[JoinedPlan]:
        for path in sorted(self._plans.iterdir()):
            if (path / "plan.json").is_file():
                yield self._read(path)

    def _read(self, path: Path) -> JoinedPlan:
        pin = path / "plan.json"
        plan = FederatedPlan.read(read_bounded(pin, MAX_PLAN_BYTES), str(pin))
        tree = read_json(path / "site.json")
        name = tree.get("site") if isinstance(tree, dict) else None
        joined = JoinedPlan(path=path, plan=plan, terms=plan.site(name))
        joined.check_charges()
        return joined


def _study(line: bytes) -> str:
    """Read the line of a study."""
    found = strict_json(line)["study"]
    if not isinstance(found, str) or not STUDY.fullmatch(found):
        raise ValueError("no id of a study")
    return found


def price_together(plans: Sequence[JoinedPlan]) -> PrivacyBudget:
    """Compute the price of several plans of one site together, each as planned.

    Guarantee: the price holds for plans that somebody made after seeing the answers to others. Plans of sums are
    Gaussians, which compose whenever they are made, at the smallest of their deltas. No such composition is known to
    hold for others, so each plan of networks adds its own epsilon and delta. Prices for a unit that comes or leaves
    stand alone. Beside a plan that is priced for any change of a slot they are computed anew for a unit replaced.

    Args:
        plans: at least one, all for one unit.
    """
    networks = [one for one in plans if one.plan.of_method.sends_networks]
    sums = [one for one in plans if not one.plan.of_method.sends_networks]
    is_mixed = len({one.plan.part_of(one.terms).adjacency for one in plans}) > 1
    # Privacy: whatever a plan says of its price, the site's own accountant computes all of them.
    paid = [_replaced_price(one) if is_mixed else one.plan.price_of(one.terms) for one in networks]
    if sums:
        delta = min(one.terms.delta for one in sums)
        epsilon, _ = price(compose_events(*(one.plan.part_of(one.terms).event for one in sums)), delta)
        paid.append(PrivacyBudget(epsilon=epsilon, delta=delta))
    return PrivacyBudget(epsilon=sum(one.epsilon for one in paid), delta=sum(one.delta for one in paid))


def _replaced_price(one: JoinedPlan) -> PrivacyBudget:
    """Compute the price of a plan of networks for content of a slot that is replaced."""
    part, delta = one.plan.part_of(one.terms), one.terms.delta
    epsilon, _ = price(under_replacement(part.event, part.adjacency), delta)
    return PrivacyBudget(epsilon=epsilon, delta=delta)
