"""The methods as estimators: a class each, with nothing in it but its method and the types of its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from gossamer.estimators.estimator import AbstractEstimator
from gossamer.estimators.settings import (
    DPCGANSettings,
    DPMERFSettings,
    DPMixtureSettings,
    GSWGANSettings,
    LabelledMixtureSettings,
)
from gossamer.methods.dp_cgan import DP_CGAN
from gossamer.methods.dp_merf import DP_MERF
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.methods.labelled_mixture import LABELLED_MIXTURE


class GSWGAN(AbstractEstimator):
    """GS-WGAN: many critics on disjoint shards, each step answered by a few of them in secret.

    Minutes on two cores. Settings are the fields of `GSWGANConfig`. All other arguments are those of
    `AbstractEstimator`, among them num_people, num_records, num_classes and num_tuning_runs.

    Guarantee: as `AbstractEstimator`, for one record (or person) replaced. If their number was given or published, also
    for one added or removed.

    References: Chen, Orekondy, Fritz, "GS-WGAN", NeurIPS 2020.

    Example:
        >>> import numpy as np
        >>> model = GSWGAN(epsilon=10.0, num_critics=4, num_steps=2, batch_size=4, draws_per_step=4)
        >>> x, y = model.fit(np.zeros((90, 8, 8), dtype="uint8"), np.arange(90) % 3).sample(5)
        >>> x.shape, y.tolist(), model.statement.epsilon <= 10
        ((5, 1, 8, 8), [0, 1, 2, 3, 4], True)
    """

    method = GS_WGAN

    if TYPE_CHECKING:

        def __init__(self, epsilon: float, delta: float | None = None, **settings: Unpack[GSWGANSettings]) -> None: ...


class DPCGAN(AbstractEstimator):
    """DP-CGAN: one discriminator trained by DP-SGD on Poisson samples, and a generator that learns from it alone.

    Minutes on two cores. Settings are the fields of `DPCGANConfig`. All other arguments are those of
    `AbstractEstimator`, among them num_people, num_records, num_classes and num_tuning_runs.

    Guarantee: as `AbstractEstimator`. It covers one record (or person) added or removed if their number was given or
    published, and one replaced if it was counted. In the first case the epsilon does not compare one to one with that
    of the other methods, which also cover a replacement.

    References: Torkzadehmahani, Kairouz, Paten, "DP-CGAN", CVPR workshops 2019.

    Example:
        >>> DPCGAN(epsilon=1.0, recipe="digits-published")
        DPCGAN(epsilon=1.0, recipe='digits-published'), has learnt nothing yet
    """

    method = DP_CGAN

    if TYPE_CHECKING:

        def __init__(self, epsilon: float, delta: float | None = None, **settings: Unpack[DPCGANSettings]) -> None: ...


class DPMERF(AbstractEstimator):
    """DP-MERF: one noisy mean of random features of each class, and a generator fitted to it afterwards.

    A minute or two on one core. Settings are the fields of `DPMERFConfig`. All other arguments are those of
    `AbstractEstimator`, among them num_people, num_records, num_classes and num_tuning_runs.

    Guarantee: as `AbstractEstimator`, for one record (or person) replaced. If their number was given or published, also
    for one added or removed.

    References: Harder, Adamczewski, Park, "DP-MERF", AISTATS 2021.

    Example:
        >>> DPMERF(epsilon=1.0, num_fit_steps=300)
        DPMERF(epsilon=1.0, num_fit_steps=300), has learnt nothing yet
    """

    method = DP_MERF

    if TYPE_CHECKING:

        def __init__(self, epsilon: float, delta: float | None = None, **settings: Unpack[DPMERFSettings]) -> None: ...


class DPMixture(AbstractEstimator):
    """DP-mixture: a few noisy moments of each class, and Gaussians drawn from them. No GAN, and the first to try.

    Seconds on one core. Settings are the fields of `DPMixtureConfig`. All other arguments are those of
    `AbstractEstimator`, among them num_people, num_records, num_classes and num_tuning_runs.

    Guarantee: as `AbstractEstimator`, for one record (or person) replaced. If their number was given or published, also
    for one added or removed.

    Example:
        >>> model = DPMixture(epsilon=1.0).fit("beats")
        >>> x, y = model.sample(6)
        >>> x.shape, y.tolist(), model.statement.epsilon <= 1
        ((6, 1, 96), [0, 1, 2, 0, 1, 2], True)
    """

    method = DP_MIXTURE

    if TYPE_CHECKING:

        def __init__(
            self, epsilon: float, delta: float | None = None, **settings: Unpack[DPMixtureSettings]
        ) -> None: ...


class LabelledMixture(AbstractEstimator):
    """Labelled mixture: the moments of DP-mixture, and a private teacher that names samples and classifies records.

    A minute on one core. Settings are the fields of `LabelledMixtureConfig`. All other arguments are those of
    `AbstractEstimator`, among them num_people, num_records, num_classes and num_tuning_runs.

    Guarantee: as `AbstractEstimator`. It covers one record (or person) added or removed if their number was given or
    published, and one replaced if it was counted. To be added or removed is the weaker promise, so that the epsilon
    does not compare one to one with that of `DPMixture`. The statement has the epsilon of a replacement, too.

    Example:
        >>> model = LabelledMixture(epsilon=3.0, teacher_steps=20).fit("beats")
        >>> x, y = model.sample(6)
        >>> x.shape, y.tolist(), model.statement.epsilon <= 3
        ((6, 1, 96), [0, 1, 2, 0, 1, 2], True)
    """

    method = LABELLED_MIXTURE

    if TYPE_CHECKING:

        def __init__(
            self, epsilon: float, delta: float | None = None, **settings: Unpack[LabelledMixtureSettings]
        ) -> None: ...
