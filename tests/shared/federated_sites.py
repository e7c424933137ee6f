"""Tiny sites for tests: a plan, their records, and all rounds in a few lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordData, RecordSet
from gossamer.driving.federated.combining import combine
from gossamer.driving.federated.contributing import Answer, contribute
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.planning import SiteWish, make_plan
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.errors import GossamerError
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.dp_merf.settings import DPMERFConfig
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.gs_wgan.settings import AgainstPresentGenerator, DistanceCritic, GSWGANConfig, Stage
from gossamer.methods.labelled_mixture.settings import LabelledMixtureConfig
from gossamer.methods.method import TakenRecipe
from gossamer.methods.records_expected import RecordsExpected
from gossamer.nn.images.settings import (
    MERFGeneratorConfig,
    MixtureGeneratorConfig,
    MLPCriticConfig,
    MLPDiscriminatorConfig,
    MLPGeneratorConfig,
)
from gossamer.nn.labelled_settings import TeacherConfig
from gossamer.nn.settings import Adam
from gossamer.privacy import PrivacyBudget
from gossamer.privacy.adjacency import Unit

SPEC = ImageSpec(channels=1, height=4, width=4, class_names=("a", "b"))
EXPECTED = RecordsExpected(shape=(1, 4, 4), num_classes=2)
ONE = DPMixtureConfig(records=EXPECTED, generator=MixtureGeneratorConfig(num_directions=3, radius=2))
SEVERAL = replace(ONE, num_rounds=2, generator=replace(ONE.generator, num_components=2))
MERF = DPMERFConfig(
    records=EXPECTED, num_features=20, num_fit_steps=3, generator=MERFGeneratorConfig(), samples_per_class=2
)

GAN = GSWGANConfig(
    num_critics=8, num_steps=7, batch_size=8, draws_per_step=1, critics_per_draw=4,
    generator=MLPGeneratorConfig(hidden_sizes=(6,)), stages=(Stage(critic=DistanceCritic()),),
    critic_batch_size=2, pool_per_class=3, critics_at_once=4, final_learning_rate=0.1, moving_average=0.5,
)  # fmt: skip
TRAINED = replace(
    GAN,
    critics_per_draw=None,
    stages=(Stage(critic=MLPCriticConfig(hidden_sizes=(4,)), warm_start=AgainstPresentGenerator(num_updates=1)),),
    fork_steps=1,
    renewals_per_step=2,
)
DP_GAN = DPCGANConfig(
    num_steps=7, expected_batch_size=6, generator=MLPGeneratorConfig(hidden_sizes=(6,)),
    discriminator=MLPDiscriminatorConfig(hidden_sizes=(5,)), synthetic_batch_size=4, generator_batch_size=4,
    discriminator_steps=2, discriminator_optimiser=Adam(learning_rate=0.01), final_learning_rate=0.1,
    moving_average=0.5, chunk_size=4,
)  # fmt: skip
LABELLED = LabelledMixtureConfig(
    mixture=ONE, teacher=TeacherConfig(hidden_sizes=(4,)), teacher_steps=7, sample_rate=0.2, chunk_size=4
)
"""Three sums, and then seven steps of the teacher."""


class ZeroNoise(DeterministicNoise):
    """No noise at all, so that sums can be compared."""

    def __init__(self) -> None:
        super().__init__(0)

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(shape, dtype=torch.float64)


def records(number: int, seed: int = 0, *, people: Tensor | None = None, spec: ImageSpec = SPEC) -> RecordSet:
    """Records of two classes that differ in brightness."""
    rng = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (number,), generator=rng)
    x = (0.3 * y[:, None, None, None] + 0.7 * torch.rand(number, *spec.shape, generator=rng)).float()
    return RecordSet(name="made up", spec=spec, x=x, y=y, people=people)


def joined(*parts: RecordSet) -> RecordSet:
    """The records of all sites in one place."""
    people, first = [], 0
    for part in parts:
        people.append(None if part.people is None else part.people + first)
        first += part.num_people
    return RecordSet(
        name="all",
        spec=parts[0].spec,
        x=torch.cat([part.x for part in parts]),
        y=torch.cat([part.y for part in parts if part.y is not None]),
        people=None if people[0] is None else torch.cat([one for one in people if one is not None]),
    )


def plan_for(
    config: Any,
    slots: Mapping[str, int],
    *,
    unit: Unit = Unit.RECORD,
    noise: Mapping[str, float] | None = None,
    **rounds: Any,
) -> FederatedPlan:
    """A plan at epsilon 5 for each site, or with the noise given for each, and with the rounds of `make_plan`."""
    wishes = [
        SiteWish(name=name, num_slots=n, budget=PrivacyBudget(epsilon=5, delta=1e-3)) for name, n in slots.items()
    ]
    plan = make_plan(config, SPEC, TakenRecipe(name="own"), unit, wishes, "1.0", **rounds)
    if noise is None:
        return plan
    sites = tuple(replace(site, noise_multiplier=noise[site.name], epsilon=100.0) for site in plan.sites)
    return FederatedPlan.read(replace(plan, sites=sites).to_bytes(), "plan")


def with_sum(now: Round, combined: Tensor, givers: tuple[str, ...] = ("paris",)) -> Round:
    """The round that follows, with one sum more, of some sites."""
    name = f"sum {now.number + 1}"
    return now.following(now.tensors | {name: combined}, givers, is_secure=True)


def answer(
    folder: Path,
    content: bytes,
    site: str,
    held: RecordSet,
    *,
    cap: float | None = 1000.0,
    noise: Callable[[], AbstractNoise] = ZeroNoise,
) -> Answer:
    """One answer of a site, in a folder named by it."""
    return contribute(
        folder / site, content, site, lambda key: RecordData(train=held), cap=cap, noise=noise, where="round"
    )


def all_rounds(
    folder: Path,
    plan: FederatedPlan,
    held: Mapping[str, RecordSet],
    *,
    absent: Callable[[int, str], bool] = lambda number, site: False,
    noise: Callable[[], AbstractNoise] = ZeroNoise,
) -> Round:
    """All rounds to the end."""
    now = Round(plan=plan)
    while not now.is_over:
        content = now.to_bytes()
        files = [
            (name, answer(folder, content, name, held[name], noise=noise).content)
            for name in held
            if name in now.asked and not absent(now.number, name)
        ]
        now = Round.read(combine(content, files).round.to_bytes(), "next")
    return now


# ---- neighbours ------------------------------------------------------------------------------------------------------

FEW_SLOTS = {"berlin": 12, "paris": 12}
FEW = records(12, 3)
NEIGHBOURS = {
    "as it is": FEW,
    "one left": replace(FEW, x=FEW.x[:-1], y=FEW.y[:-1]),  # type: ignore[index]
    "one class emptied": replace(FEW, y=torch.zeros_like(FEW.y)),  # type: ignore[arg-type]
    "all black": replace(FEW, x=torch.zeros_like(FEW.x)),
}
"""Two of them are neighbours, and the others are farther apart than any neighbours are."""


def outcome(folder: Path, content: bytes, held: RecordSet) -> tuple[Any, ...]:
    """Answer or error, shape, message, and whether records were read."""
    read: list[bool] = []

    def load(key: object) -> RecordData:
        read.append(True)
        return RecordData(train=held)

    try:
        answer = contribute(folder, content, "berlin", load, cap=100.0, noise=ZeroNoise, where="round")
    except GossamerError as error:
        return type(error), str(error).replace(str(folder), "folder"), bool(read)
    sent = Contribution.read(answer.content, "answer").tensors
    is_finite = all(bool(one.isfinite().all()) for one in sent.values())
    return "answer", tuple((name, tuple(one.shape)) for name, one in sorted(sent.items())), is_finite


def gradient_lengths(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[float]:
    """Norms of the gradients that a site releases in a round, without noise but for the trial on made-up records."""
    norms: list[float] = []
    release = PoissonReleaser.release

    def told(self: PoissonReleaser, *asked: Any) -> dict[str, Tensor]:
        found = release(self, *asked)
        norms.append(float(torch.cat([part.flatten() for part in found.values()]).norm()))
        return found

    monkeypatch.setattr(PoissonReleaser, "release", told)
    assert outcome(folder, content, NEIGHBOURS["as it is"])[0] == "answer"
    return norms
