"""The two files that travel: that of a round, to every site, and the contribution of a site, to the coordinator."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from gossamer.driving.federated.plan import FederatedPlan, SiteTerms
from gossamer.driving.federated.sending import AbstractSending, sending_of
from gossamer.errors import InputError, told
from gossamer.nn.ensemble import Tensors
from gossamer.runs.tensor_file import is_tensor_file, read_tensor_file, tensor_file

ROUND_FORMAT: Final = "gossamer-round-1"
CONTRIBUTION_FORMAT: Final = "gossamer-contribution-1"
_SITES: Final = "sites"


@dataclass(frozen=True, kw_only=True, eq=False)
class Round:
    """All that is known before a round: the plan, and the combined contributions to earlier rounds. All is public.

    Attributes:
        plan: of the training.
        tensors: float32 by name, as `AbstractSending.known` declares them: a sum for each earlier round, scaled to all
            slots, or the networks as they are now.
        givers: names of the sites with a part in each earlier round, in the order of the plan.
        is_secure: False if a site said that its noise was of a test.
    """

    plan: FederatedPlan
    tensors: Tensors = field(default_factory=dict)
    givers: tuple[tuple[str, ...], ...] = ()
    is_secure: bool = True

    @property
    def number(self) -> int:
        """Number of the round that comes now, from 0. The plan's number of rounds after the last."""
        return len(self.givers)

    @property
    def is_over(self) -> bool:
        """True if all rounds were made."""
        return self.number >= self.plan.num_rounds

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the sites that the round asks."""
        return self.plan.asked(self.number)

    @functools.cached_property
    def sending(self) -> AbstractSending:
        """The kind of thing that the sites send."""
        return sending_of(self.plan)

    @property
    def context(self) -> dict[str, Any]:
        """The arguments of a `RunContext` that goes on from here."""
        return self.sending.context(self.tensors, self.givers)

    @property
    def size_of_answer(self) -> int:
        """Bytes that the numbers of an answer take."""
        return 4 * sum(math.prod(shape) for shape in self.sending.sent(self.number).values())

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of plan, tensors and givers, whatever file they came in."""
        digest = hashlib.sha256(json.dumps([self.plan.digest, self.givers]).encode())
        for name in self.sending.known(self.number):
            digest.update(self.tensors[name].numpy().tobytes())
        return digest.hexdigest()

    def to_bytes(self) -> bytes:
        """Write the file of the round: the plan itself before the first, then tensors with the plan in the header."""
        if not self.givers:
            return self.plan.to_bytes()
        tensors = dict(self.tensors)
        for number, names in enumerate(self.givers):
            tensors[f"{_SITES} {number + 1}"] = torch.tensor(
                [site.name in names for site in self.plan.sites], dtype=torch.uint8
            )
        words = {"format": ROUND_FORMAT, "plan": self.plan.to_bytes().decode(), "is_secure": str(self.is_secure)}
        return tensor_file(tensors, words)

    @classmethod
    def read(cls, content: bytes, where: str) -> Round:
        """Read the file of a round.

        Guarantee: it holds named tensors of the declared shapes, finite, and nothing else. No record is needed to tell,
        so a refusal follows from the file alone.

        Args:
            content: not trusted.
            where: file, for messages.

        Raises:
            InputError: any other file.
        """
        if not is_tensor_file(content):
            return cls(plan=FederatedPlan.read(content, where))
        tensors, words = read_tensor_file(content, where, ROUND_FORMAT)
        plan = FederatedPlan.read(words.get("plan", "").encode(errors="replace"), where)
        number = sum(name.startswith(f"{_SITES} ") for name in tensors)
        if not 1 <= number <= plan.num_rounds:
            raise InputError(f"{where}: marks sites of {number} rounds, and this plan has 1 to {plan.num_rounds}")
        declared = sending_of(plan).known(number)
        marks = [
            _checked(tensors, f"{_SITES} {one + 1}", torch.uint8, (len(plan.sites),), where) for one in range(number)
        ]
        if len(tensors) != number + len(declared):
            raise InputError(f"{where}: {len(tensors)} tensors, and round {number + 1} has {number + len(declared)}")
        known = {name: _checked(tensors, name, torch.float32, shape, where) for name, shape in declared.items()}
        names = [site.name for site in plan.sites]
        givers = tuple(tuple(name for name, mark in zip(names, one.tolist(), strict=True) if mark) for one in marks)
        is_empty = not all(found or plan.may_pass(one) for one, found in enumerate(givers))
        if is_empty or any(bool((one > 1).any()) for one in marks):
            raise InputError(f"{where}: a round names no site, or marks one by another number than 0 and 1")
        if not all(set(found) <= set(plan.asked(one)) for one, found in enumerate(givers)):
            raise InputError(f"{where}: a round names a site that it did not ask")
        return cls(plan=plan, tensors=known, givers=givers, is_secure=words.get("is_secure") == "True")

    def following(self, tensors: Tensors, names: Sequence[str], *, is_secure: bool) -> Round:
        """Return the round that comes after this one, with all that is known then."""
        return Round(
            plan=self.plan,
            tensors=tensors,
            givers=(*self.givers, tuple(names)),
            is_secure=self.is_secure and is_secure,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Contribution:
    """The answer of one site in one round, which has the guarantee of the site wherever it goes.

    Attributes:
        study: id of the study.
        plan_digest: SHA-256 of the plan that the site pays by.
        round_digest: SHA-256 of all that was known when the site answered.
        round_number: from 0.
        site: name of the site.
        is_secure: False if the noise was of a test.
        tensors: float32 by name: a noisy sum, or networks after a block of private steps.
    """

    study: str
    plan_digest: str
    round_digest: str
    round_number: int
    site: str
    is_secure: bool
    tensors: Tensors

    def to_bytes(self) -> bytes:
        """Write the file of the contribution."""
        words = {
            "format": CONTRIBUTION_FORMAT,
            "study": self.study,
            "plan": self.plan_digest,
            "state": self.round_digest,
            "round": str(self.round_number + 1),
            "site": self.site,
            "is_secure": str(self.is_secure),
        }
        return tensor_file(self.tensors, words)

    @classmethod
    def read(cls, content: bytes, where: str) -> Contribution:
        """Read the file of a contribution, without the plan that it belongs to.

        Raises:
            InputError: any other file.
        """
        tensors, words = read_tensor_file(content, where, CONTRIBUTION_FORMAT)
        names = ("study", "plan", "state", "round", "site", "is_secure")
        number = words.get("round", "")
        if not all(name in words for name in names) or not number.isdecimal() or len(number) > 4 or not tensors:
            raise InputError(f"{where}: a contribution without all its words; take the file as the site wrote it")
        if any(one.dtype is not torch.float32 for one in tensors.values()):
            raise InputError(f"{where}: its tensors are not of float32; take the file as the site wrote it")
        return cls(
            study=words["study"],
            plan_digest=words["plan"],
            round_digest=words["state"],
            round_number=int(number) - 1,
            site=words["site"],
            is_secure=words["is_secure"] == "True",
            tensors=tensors,
        )

    def check(self, now: Round, where: str) -> SiteTerms:
        """Refuse a contribution that is none to this round, and return the terms of its site.

        Args:
            now: the round that is being combined.
            where: file, for messages.

        Raises:
            InputError: another plan's, another round's, no site's of the plan, or numbers that cannot be.
        """
        plan = now.plan
        if self.study != plan.study or self.plan_digest != plan.digest:
            raise InputError(f"{where}: a contribution to another plan; ask the site for one to this plan")
        if self.round_number != now.number:
            raise InputError(
                f"{where}: a contribution to round {self.round_number + 1}, and this is round {now.number + 1}; leave "
                "it out, the site may answer this round"
            )
        try:
            site = plan.site(self.site)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        if site.name not in now.asked:
            raise InputError(f"{where}: the site {site.name} is not asked in round {now.number + 1}; leave it out")
        if self.round_digest != now.digest:
            raise InputError(
                f"{where}: the site {told(self.site)} answered another file of round {now.number + 1}; combine with "
                "the file that it answered, or leave it out"
            )
        self._check_tensors(now, site, where)
        return site

    def _check_tensors(self, now: Round, site: SiteTerms, where: str) -> None:
        declared = now.sending.sent(now.number)
        if {name: tuple(one.shape) for name, one in self.tensors.items()} != dict(declared):
            raise InputError(f"{where}: its tensors are not those of round {now.number + 1}, by name or shape")
        if not all(bool(one.isfinite().all()) for one in self.tensors.values()):
            raise InputError(
                f"{where}: holds numbers that are not finite; leave it out, or ask the site for its own file"
            )
        now.sending.check_possible(self.tensors, site, now.number, where)


def _checked(tensors: Tensors, name: str, kind: torch.dtype, shape: tuple[int, ...], where: str) -> Tensor:
    one = tensors.get(name)
    if one is None or one.dtype is not kind or one.shape != shape:
        raise InputError(f"{where}: its tensor {name!r} is not there, or of another type or shape than the plan says")
    if not bool(one.isfinite().all()):
        raise InputError(f"{where}: its tensor {name!r} holds numbers that are not finite")
    return one
