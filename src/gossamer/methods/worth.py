"""Energy above noise: the part of means, matrices and pairs of classes beyond the known noise in them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gossamer.mechanisms.prospect import WINDOW_STEPS
from gossamer.methods.verdict import Verdict

_DEVIATIONS = 2.5
_SURE = 3.0
_WINDOW = 16
"""Steps over which answers about samples of a class are averaged before their energy is taken."""


def share_above(energy: Tensor, noise: Tensor) -> Tensor:
    """Return the part of an energy that lies above the expected energy of its noise, in [0, 1].

    >>> share_above(torch.tensor([4.0, 1.0]), torch.tensor([1.0, 2.0])).tolist()
    [0.75, 0.0]
    """
    return (1 - noise / energy.clamp_min(1e-12)).clamp(0, 1)


def pairs_apart(means: Tensor, noise: Tensor, scatter: Tensor) -> float | None:
    """Return the share of pairs of classes with means further apart than two and a half deviations of chance allow.

    Args:
        means: noisy, (classes, d).
        noise: deviation of the noise on each coordinate of a mean, (classes,).
        scatter: energy by which the mean of a class's records moves by chance, (classes,).

    Returns:
        None if there are fewer than two classes.
    """
    classes, dim = means.shape
    if classes < 2:
        return None
    one, other = torch.triu_indices(classes, classes, offset=1)
    energy = (means[one] - means[other]).square().sum(dim=1)
    by_noise = noise[one].square() + noise[other].square()
    by_chance = scatter[one] + scatter[other]
    # Scatter lies in a few directions at worst in one, where its deviation is the root of two times its energy.
    deviation = math.sqrt(2) * (math.sqrt(dim) * by_noise + by_chance)
    return float((energy > dim * by_noise + by_chance + _DEVIATIONS * deviation).double().mean())


def standing_out(values: Tensor, edge: Tensor, white: float, counts: Tensor) -> Tensor:
    r"""Sum the variances that stand out from noise and from records without a pattern, :math:`\sqrt{(l - w)^2 - e^2}`.

    Args:
        values: eigenvalues of noisy covariances, (..., d).
        edge: largest eigenvalue of the noise, (...).
        white: w, variance of every direction in records without a pattern.
        counts: of records. Those without a pattern scatter by the law of Marchenko and Pastur.
    """
    dim = values.shape[-1]
    ratio = dim / counts
    chance = white * (2 * ratio.sqrt() + ratio)
    beyond = (values - white).clamp_min(0)
    return (beyond.square() - (edge + chance)[..., None].square()).clamp_min(0).sqrt().sum(dim=-1)


@dataclass(frozen=True, kw_only=True)
class ReleasedEnergy:
    r"""Energy of the vectors released until now, beside the expected energy of the noise in them.

    :math:`E = \sum_t |g_t|^2` holds :math:`n s^2` of noise on n coordinates of deviation s, up to
    :math:`\sqrt{2 n} s^2` by chance.

    Attributes:
        total: E.
        noise: its expectation from noise alone.
        variance: of the noise's energy.
        num_steps: of releases.
        num_vectors: vectors released until now, all of which move the same weights.
    """

    total: float = 0.0
    noise: float = 0.0
    variance: float = 0.0
    num_steps: int = 0
    num_vectors: int = 0

    def with_release(self, vectors: Iterable[Tensor], noise_std: float, num_vectors: int = 1) -> ReleasedEnergy:
        """Return the energies with those of one more release.

        Args:
            vectors: all coordinates that were released together.
            noise_std: of the noise on each of them.
            num_vectors: gradients among them, one for each sample or one of all weights.
        """
        parts = list(vectors)
        size, square = sum(part.numel() for part in parts), noise_std**2
        total = torch.stack([part.detach().double().square().sum() for part in parts]).sum()
        return ReleasedEnergy(
            total=self.total + float(total),
            noise=self.noise + size * square,
            variance=self.variance + 2 * size * square**2,
            num_steps=self.num_steps + 1,
            num_vectors=self.num_vectors + num_vectors,
        )

    @property
    def signal(self) -> float:
        """Part of the energy that lies above noise, 0 if chance alone may have brought it."""
        above = self.total - self.noise
        return above / self.total if above > _SURE * math.sqrt(self.variance) else 0.0

    @property
    def strength(self) -> float:
        """Energy of the signal over that of the noise, if noise averages out while the signal points the same way.

        It averages out over the vectors of as many steps as in `AbstractPlan.prospect`, which bounds the root of this.
        """
        num_averaged = self.num_vectors * min(1.0, WINDOW_STEPS / max(self.num_steps, 1))
        return num_averaged * self.signal / max(1 - self.signal, 1e-12)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on these gradients, None before the first."""
        return Verdict.of_gradients(self.signal, self.strength) if self.num_steps else None

    def state_dict(self) -> dict[str, float]:
        """Return the numbers, all of them public."""
        return asdict(self)

    @classmethod
    def restored(cls, state: dict[str, Any]) -> ReleasedEnergy | None:
        """Take up the energies of a training's state, None if they were not kept from its first step on."""
        kept = state.get("energy")
        return None if kept is None else cls(**kept)


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowedEnergy:
    r"""Energy of answers about samples, averaged over the samples of a class and over windows of steps.

    Answers about samples of one class point the same way for many steps, and noise does not. In a window of w steps
    with :math:`n_c` samples of class c in each, let :math:`z_c = \sum_{t, i} g_{t,i} / \sqrt{w n_c}`. It has the noise
    of one answer, and :math:`w n_c` times the energy of a signal that all answers share. A training that comes near its
    records is led by ever shorter answers. Single ones cannot be told from noise then, though the generator learnt.

    Attributes:
        energy: of the windows that have ended.
        total: sums of the present window, (classes, d). None at its beginning.
        num_here: steps in the present window.
    """

    energy: ReleasedEnergy = field(default_factory=ReleasedEnergy)
    total: Tensor | None = None
    num_here: int = 0

    def with_answers(self, answers: Tensor, labels: Tensor | None, noise_std: float) -> WindowedEnergy:
        """Return the energies with the released answers of one more step.

        Args:
            answers: sanitized, (B, *shape).
            labels: classes of their samples, int64 (B,), or None.
            noise_std: of the noise on each coordinate.
        """
        sums = _sums_by_class(answers.detach().double().flatten(start_dim=1), labels)
        total = sums if self.total is None or self.total.shape != sums.shape else self.total + sums
        found = replace(self, total=total, num_here=self.num_here + 1)
        if found.num_here < _WINDOW:
            return found
        return WindowedEnergy(energy=found.ended(noise_std))

    def ended(self, noise_std: float) -> ReleasedEnergy:
        """Return the energies with the present window as it is, if it has any step."""
        if self.total is None:
            return self.energy
        mean = self.total / math.sqrt(self.num_here)
        more = self.energy.with_release([mean], noise_std, len(mean))
        return replace(more, num_steps=self.energy.num_steps + self.num_here)

    def state_dict(self) -> dict[str, Any]:
        """Return numbers and sums, all of them public."""
        return self.energy.state_dict() | {"window": self.total, "in_window": self.num_here}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> WindowedEnergy | None:
        """Take up the energies of a training's state, None if they were not kept from its first step on.

        Energies of an earlier version are of single answers. They add to those of windows.
        """
        kept = state.get("energy")
        if kept is None:
            return None
        numbers = {name: value for name, value in kept.items() if name not in ("window", "in_window")}
        return cls(energy=ReleasedEnergy(**numbers), total=kept.get("window"), num_here=kept.get("in_window", 0))


def _sums_by_class(answers: Tensor, labels: Tensor | None) -> Tensor:
    """Sum the answers of each class, over the root of their number: (B, d) to (classes present, d)."""
    if labels is None:
        return answers.sum(dim=0, keepdim=True) / math.sqrt(len(answers))
    _, place, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    sums = answers.new_zeros(len(counts), answers.shape[1]).index_add_(0, place, answers)
    return sums / counts.sqrt()[:, None]
