"""Networks of a user's own, kept and broken: each broken one breaks one promise."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.nn.network import AbstractCritic, AbstractGenerator, encoded_label, linear
from gossamer.nn.settings import AbstractCriticConfig, AbstractGeneratorConfig


@dataclass(frozen=True, kw_only=True)
class OwnGeneratorConfig(AbstractGeneratorConfig):
    hidden: int = 8

    def build(
        self, shape: tuple[int, ...], num_classes: int, latent_dim: int, rng: torch.Generator
    ) -> AbstractGenerator:
        return OwnGenerator(self.hidden, shape, num_classes, latent_dim, rng)


class OwnGenerator(AbstractGenerator):
    def __init__(
        self, hidden: int, shape: tuple[int, ...], num_classes: int, latent_dim: int, rng: torch.Generator
    ) -> None:
        super().__init__(shape=shape, num_classes=num_classes, latent_dim=latent_dim)
        self.first = linear(self.input_features, hidden, gain=1.0, rng=rng)
        self.last = linear(hidden, math.prod(shape), gain=1.0, rng=rng)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        return self.drawn(self.first(self.joined(latent, label)))

    def drawn(self, hidden: Tensor) -> Tensor:
        return torch.sigmoid(self.last(torch.tanh(hidden))).unflatten(-1, self.shape)


@dataclass(frozen=True, kw_only=True)
class OwnCriticConfig(AbstractCriticConfig):
    hidden: int = 8

    def build(self, shape: tuple[int, ...], num_classes: int, rng: torch.Generator) -> AbstractCritic:
        if len(shape) == 2:
            raise InputError("images alone")
        return self.kind(self.hidden, shape, num_classes, rng)

    @property
    def kind(self) -> type[OwnCritic]:
        return OwnCritic


class OwnCritic(AbstractCritic):
    def __init__(self, hidden: int, shape: tuple[int, ...], num_classes: int, rng: torch.Generator) -> None:
        super().__init__(shape=shape, num_classes=num_classes)
        self.first = linear(math.prod(shape) + num_classes, hidden, gain=1.0, rng=rng)
        self.last = linear(hidden, 1, gain=1.0, rng=rng)
        self.prepare(hidden)

    def prepare(self, hidden: int) -> None:
        """A place for layers of broken ones."""

    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        values, one_hot = sample.flatten(-len(self.shape)), encoded_label(label, self.num_classes, sample.dtype)
        hidden = self.first(values if one_hot is None else torch.cat([values, one_hot], dim=-1))
        return self.last(torch.tanh(self.between(hidden))).squeeze(-1)

    def between(self, hidden: Tensor) -> Tensor:
        return hidden


# ---- each breaks one promise -----------------------------------------------------------------------------------------


class CentresTheBatch(OwnCritic):
    def between(self, hidden: Tensor) -> Tensor:
        return hidden - hidden.mean(dim=0, keepdim=True)


class CentresTheBatchInTraining(OwnCritic):
    def between(self, hidden: Tensor) -> Tensor:
        return hidden - hidden.mean(dim=0, keepdim=True) if self.training else hidden


class ClipsByTheLargest(OwnCritic):
    def between(self, hidden: Tensor) -> Tensor:
        return hidden / hidden.abs().max().clamp_min(1.0)


class CentresGroupsOfEight(OwnCritic):
    def between(self, hidden: Tensor) -> Tensor:
        return hidden if len(hidden) % 8 else hidden - hidden.unflatten(0, (-1, 8)).mean(dim=1).repeat_interleave(8, 0)


class RemembersInADeque(OwnCritic):
    def prepare(self, hidden: int) -> None:
        self.kept = deque[int](maxlen=4)

    def between(self, hidden: Tensor) -> Tensor:
        self.kept.append(len(hidden))
        return hidden


class CentresTheLabels(OwnCritic):
    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        return super().forward(sample, label) - (0.0 if label is None else label.float().mean())


class NormalisesTheBatch(OwnCritic):
    def prepare(self, hidden: int) -> None:
        self.norm = nn.BatchNorm1d(hidden, affine=False)

    def between(self, hidden: Tensor) -> Tensor:
        return self.norm(hidden)


class CountsInABuffer(OwnCritic):
    def prepare(self, hidden: int) -> None:
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def between(self, hidden: Tensor) -> Tensor:
        self.seen += 1
        return hidden


class RemembersInAnAttribute(OwnCritic):
    def prepare(self, hidden: int) -> None:
        self.num_asked = 0

    def between(self, hidden: Tensor) -> Tensor:
        self.num_asked += 1
        return hidden


class RemembersInAList(OwnCritic):
    def prepare(self, hidden: int) -> None:
        self.kept: list[int] = []

    def between(self, hidden: Tensor) -> Tensor:
        self.kept.append(len(hidden))
        return hidden


class AnswersByTheLastQuestion(OwnCritic):
    kept = [0.0]  # noqa: RUF012 - a class remembers, and no state of the module shows it

    def between(self, hidden: Tensor) -> Tensor:
        last, self.kept[0] = self.kept[0], float(hidden.detach().sum())
        return hidden + last


class DropsOut(OwnCritic):
    def between(self, hidden: Tensor) -> Tensor:
        return nn.functional.dropout(hidden, training=self.training)


class AsksForAnItem(OwnCritic):
    def between(self, hidden: Tensor) -> Tensor:
        return hidden if bool(hidden.detach().isfinite().all()) else hidden.nan_to_num()


class ScoresInAColumn(OwnCritic):
    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        return super().forward(sample, label)[:, None]


class StartsFromTheGlobalStream(OwnCritic):
    def prepare(self, hidden: int) -> None:
        self.more = nn.Linear(hidden, hidden)

    def between(self, hidden: Tensor) -> Tensor:
        return self.more(hidden)


class StartsAlike(OwnCritic):
    def prepare(self, hidden: int) -> None:
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.1)


BROKEN: dict[type[OwnCritic], str] = {
    CentresTheBatch: "by the content of others",
    CentresTheBatchInTraining: "by the content of others",
    CentresGroupsOfEight: "by the content of others",
    CentresTheLabels: "by the content of others",
    ClipsByTheLargest: "by the content of others",
    NormalisesTheBatch: "normalises over a batch",
    CountsInABuffer: "changes a buffer, a parameter or an attribute",
    RemembersInAnAttribute: "changes a buffer, a parameter or an attribute",
    RemembersInADeque: "changes a buffer, a parameter or an attribute",
    RemembersInAList: "changes a buffer, a parameter or an attribute",
    AnswersByTheLastQuestion: "answers the same question in two ways",
    DropsOut: "draws random numbers when it is asked",
    AsksForAnItem: "does not run under torch.func.vmap",
    ScoresInAColumn: "answers with shape",
    StartsFromTheGlobalStream: "torch's global stream",
    StartsAlike: "the same weights from another stream",
}
