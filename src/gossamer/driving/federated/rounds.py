"""The two files that travel: that of a round, to every site, and the contribution of a site, to the coordinator."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from gossamer.driving.federated.plan import FederatedPlan, SiteTerms
from gossamer.errors import InputError, told
from gossamer.methods.training import SumsOfSites
from gossamer.runs.tensor_file import is_tensor_file, read_tensor_file, tensor_file

ROUND_FORMAT: Final = "gossamer-round-1"
CONTRIBUTION_FORMAT: Final = "gossamer-contribution-1"
_SUM: Final = "sum"
_FARTHEST: Final = 13.5
"""Standard deviations that the norm of noise exceeds its root-mean-square by with a chance below 1e-39."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Round:
    """All that is known before a round: the plan, and a combined sum of each earlier round. All of it is public.

    Attributes:
        plan: of the training.
        sums: float32 (size,), one for each earlier round, scaled to all slots.
        givers: names of the sites with a part in each sum, in the order of the plan.
        is_secure: False if a site said that its noise was of a test.
    """

    plan: FederatedPlan
    sums: tuple[Tensor, ...] = ()
    givers: tuple[tuple[str, ...], ...] = ()
    is_secure: bool = True

    @property
    def number(self) -> int:
        """Number of the round that comes now, from 0. The plan's number of rounds after the last."""
        return len(self.sums)

    @property
    def is_over(self) -> bool:
        """True if all rounds were made."""
        return self.number >= self.plan.num_rounds

    @property
    def size_of_answer(self) -> int:
        """Bytes that the numbers of an answer take."""
        return 4 * self.plan.whole.releases[self.number].contribution.size

    @property
    def known(self) -> SumsOfSites:
        """The sums with the noise on each, for a training to go on from."""
        multipliers = tuple(self.plan.multiplier_of(names) for names in self.givers)
        return SumsOfSites(released=self.sums, multipliers=multipliers)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of plan, sums and givers, whatever file they came in."""
        digest = hashlib.sha256(json.dumps([self.plan.digest, self.givers]).encode())
        for one in self.sums:
            digest.update(one.numpy().tobytes())
        return digest.hexdigest()

    def to_bytes(self) -> bytes:
        """Write the file of the round: the plan itself before the first, then tensors with the plan in the header."""
        if not self.sums:
            return self.plan.to_bytes()
        tensors = {f"sum {number + 1}": one for number, one in enumerate(self.sums)}
        for number, names in enumerate(self.givers):
            tensors[f"sites {number + 1}"] = torch.tensor(
                [site.name in names for site in self.plan.sites], dtype=torch.uint8
            )
        words = {"format": ROUND_FORMAT, "plan": self.plan.to_bytes().decode(), "is_secure": str(self.is_secure)}
        return tensor_file(tensors, words)

    @classmethod
    def read(cls, content: bytes, where: str) -> Round:
        """Read the file of a round.

        Guarantee: the sums are named tensors of the declared shapes, finite, and nothing else. No record is needed to
        tell, so a refusal follows from the file alone.

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
        number = len(tensors) // 2
        if len(tensors) != 2 * number or not 1 <= number <= plan.num_rounds:
            raise InputError(
                f"{where}: {len(tensors)} tensors, and a round of this plan has two for each of 1 to {plan.num_rounds}"
            )
        sums = tuple(
            _checked(tensors, f"sum {step + 1}", torch.float32, plan.whole.releases[step].contribution.size, where)
            for step in range(number)
        )
        marks = [_checked(tensors, f"sites {step + 1}", torch.uint8, len(plan.sites), where) for step in range(number)]
        if any(not bool(one.any()) or bool((one > 1).any()) for one in marks):
            raise InputError(f"{where}: a round names no site, or marks one by another number than 0 and 1")
        names = [site.name for site in plan.sites]
        givers = tuple(tuple(name for name, mark in zip(names, one.tolist(), strict=True) if mark) for one in marks)
        return cls(plan=plan, sums=sums, givers=givers, is_secure=words.get("is_secure") == "True")

    def with_sum(self, combined: Tensor, names: Sequence[str], *, is_secure: bool) -> Round:
        """Return the round that follows, with one sum more."""
        return Round(
            plan=self.plan,
            sums=(*self.sums, combined),
            givers=(*self.givers, tuple(names)),
            is_secure=self.is_secure and is_secure,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Contribution:
    """The answer of one site in one round: a noisy sum, which has the guarantee of the site wherever it goes.

    Attributes:
        study: id of the study.
        plan_digest: SHA-256 of the plan that the site pays by.
        round_digest: SHA-256 of the sums that were known when the site answered.
        round_number: from 0.
        site: name of the site.
        is_secure: False if the noise was of a test.
        released: float32 (size,).
    """

    study: str
    plan_digest: str
    round_digest: str
    round_number: int
    site: str
    is_secure: bool
    released: Tensor

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
        return tensor_file({_SUM: self.released}, words)

    @classmethod
    def read(cls, content: bytes, where: str) -> Contribution:
        """Read the file of a contribution, without the plan that it belongs to.

        Raises:
            InputError: any other file.
        """
        tensors, words = read_tensor_file(content, where, CONTRIBUTION_FORMAT)
        names = ("study", "plan", "state", "round", "site", "is_secure")
        number = words.get("round", "")
        if not all(name in words for name in names) or not number.isdecimal() or len(number) > 4 or len(tensors) != 1:
            raise InputError(f"{where}: a contribution without all its words; take the file as the site wrote it")
        released = tensors.get(_SUM)
        if released is None or released.dtype is not torch.float32 or released.dim() != 1:
            raise InputError(f"{where}: its tensor is no sum of float32; take the file as the site wrote it")
        return cls(
            study=words["study"],
            plan_digest=words["plan"],
            round_digest=words["state"],
            round_number=int(number) - 1,
            site=words["site"],
            is_secure=words["is_secure"] == "True",
            released=released,
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
        if self.round_digest != now.digest:
            raise InputError(
                f"{where}: the site {told(self.site)} answered another file of round {now.number + 1}; combine with "
                "the file that it answered, or leave it out"
            )
        _check_possible(self.released, plan, site, now.number, where)
        return site


def _check_possible(released: Tensor, plan: FederatedPlan, site: SiteTerms, step: int, where: str) -> None:
    """Refuse a sum that no records in the slots of a site could have given, with its noise."""
    part = plan.part_of(site)
    bounds = part.releases[step].contribution
    if released.shape != (bounds.size,):
        raise InputError(f"{where}: {len(released)} numbers, and the sum of round {step + 1} has {bounds.size}")
    if not bool(released.isfinite().all()):
        raise InputError(f"{where}: holds numbers that are not finite; leave it out, or ask the site for its own file")
    noise = part.release_noise_std(step) * (math.sqrt(bounds.size) + _FARTHEST)
    largest = site.num_slots * bounds.norm_bound + noise
    if float(released.double().norm()) > largest * 1.001:
        raise InputError(
            f"{where}: a sum of norm {float(released.double().norm()):.4g}, and {site.num_slots} slots with their "
            f"noise give {largest:.4g} at most; leave it out"
        )


def _checked(tensors: dict[str, Tensor], name: str, kind: torch.dtype, size: int, where: str) -> Tensor:
    one = tensors.get(name)
    if one is None or one.dtype is not kind or one.shape != (size,):
        raise InputError(f"{where}: its tensor {name!r} is not there, or of another type or shape than the plan says")
    if not bool(one.isfinite().all()):
        raise InputError(f"{where}: its tensor {name!r} holds numbers that are not finite")
    return one
