"""Log densities under released Gaussians: those of scipy and of scikit-learn's QDA, and refusals of damaged ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn import densities
from gossamer.nn.densities import POOLING, MixtureDensities
from gossamer.nn.images.settings import MixtureGeneratorConfig

CLASSES, COMPONENTS, DIM, FEATURES = 3, 2, 4, 7


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def given(**changes: Any) -> dict[str, Any]:
    """The tensors of a release, float32 as they are in a file."""
    directions = torch.linalg.qr(drawn(FEATURES, DIM, seed=1)).Q.T
    tensors: dict[str, Any] = {
        "centres": drawn(CLASSES, COMPONENTS, DIM, seed=2),
        "factors": drawn(CLASSES, COMPONENTS, DIM, DIM, seed=3),
        "shares": torch.tensor([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0]]),
        "directions": directions,
        "offset": drawn(FEATURES, seed=4),
        "class_shares": torch.tensor([0.5, 0.3, 0.2]),
    }
    return {name: tensor.float() for name, tensor in tensors.items()} | changes


def by_scipy(tensors: dict[str, Any], features: Tensor, pooling: float) -> np.ndarray:
    """The same equation, a density at a time."""
    release = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    own = release["factors"] @ release["factors"].swapaxes(-1, -2)
    weights = release["class_shares"][:, None] * release["shares"]
    common = np.einsum("ck,ckde->de", weights / weights.sum(), own)
    places = (features.double().numpy() - release["offset"]) @ release["directions"].T
    found = []
    for group in range(CLASSES):
        parts = [
            np.log(share)
            + multivariate_normal(centre, (1 - pooling) * cov + pooling * common + 1e-6 * np.eye(DIM)).logpdf(places)
            for share, centre, cov in zip(release["shares"][group], release["centres"][group], own[group], strict=True)
            if share > 0
        ]
        found.append(logsumexp(parts, axis=0))
    return np.stack(found, axis=1)


@pytest.mark.parametrize("pooling", [0.0, POOLING, 1.0])
def test_they_are_those_of_scipy(pooling: float) -> None:
    features = 3 * drawn(50, FEATURES, seed=5).float()
    found = MixtureDensities(**given(), pooling=pooling).of_features(features)
    assert (found.shape, found.dtype) == ((50, CLASSES), torch.float64)
    assert np.allclose(found.numpy(), by_scipy(given(), features, pooling), rtol=1e-4, atol=1e-3)


def test_a_common_covariance_of_classes_alike_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of the common covariance are the released shares of classes and components."""
    features = 3 * drawn(50, FEATURES, seed=5).float()
    without = MixtureDensities(**given(class_shares=None)).of_features(features)
    assert not np.allclose(without.numpy(), by_scipy(given(), features, POOLING), atol=1e-2)
    alike = given(class_shares=torch.ones(CLASSES))
    assert np.allclose(without.numpy(), by_scipy(alike, features, POOLING), rtol=1e-4, atol=1e-3)
    monkeypatch.setattr(MixtureDensities, "covariances", lambda self: self.factors.double() @ self.factors.double().mT)
    found = MixtureDensities(**given()).of_features(features)
    assert not np.allclose(found.numpy(), by_scipy(given(), features, POOLING), atol=1e-2)


def test_with_one_gaussian_a_class_and_no_pooling_it_is_the_quadratic_discriminant_of_scikit_learn() -> None:
    y = np.repeat(np.arange(CLASSES), [30, 50, 70])
    x = drawn(len(y), DIM, seed=6).numpy() * (1 + y[:, None]) + y[:, None]
    qda = QuadraticDiscriminantAnalysis(store_covariance=True).fit(x, y)
    found = MixtureDensities(
        centres=torch.from_numpy(np.stack(list(qda.means_)))[:, None],
        factors=torch.linalg.cholesky(torch.from_numpy(np.stack(qda.covariance_)))[:, None],
        shares=torch.ones(CLASSES, 1),
        directions=torch.eye(DIM),
        offset=torch.zeros(DIM),
        pooling=0.0,
    ).of_features(torch.from_numpy(x))
    scores = found + torch.from_numpy(np.log(qda.priors_))
    assert np.allclose(torch.softmax(scores, dim=1).numpy(), qda.predict_proba(x), atol=1e-5)
    assert (scores.argmax(dim=1).numpy() == qda.predict(x)).mean() == 1.0


def test_a_record_alone_has_the_densities_that_it_has_among_others() -> None:
    features, release = drawn(40, FEATURES, seed=7).float(), MixtureDensities(**given())
    together = release.of_features(features)
    alone = torch.cat([release.of_features(row[None]) for row in features])
    assert torch.allclose(together, alone, rtol=0, atol=1e-9)
    assert torch.equal(release.places(features)[3:4], release.places(features[3:4]))


def test_directions_without_any_spread_have_finite_densities() -> None:
    found = MixtureDensities(**given(factors=torch.zeros(CLASSES, COMPONENTS, DIM, DIM)))
    centre = found.centres[1, 0] @ found.directions + found.offset
    scores = found.of_features(centre[None])
    assert scores.isfinite().all()
    assert int(scores.argmax()) == 1


DAMAGED: dict[str, tuple[dict[str, Any], str]] = {
    "a factor that is no number": ({"factors": torch.full((3, 2, 4, 4), torch.nan)}, "factors are no finite numbers"),
    "a centre that is infinite": ({"centres": torch.full((3, 2, 4), torch.inf)}, "centres are no finite numbers"),
    "a class without components": ({"shares": torch.tensor([[0.0, 0.0], [1, 0], [1, 0]])}, "no component"),
    "a share below zero": ({"shares": torch.tensor([[2.0, -1.0], [1, 0], [1, 0]])}, "no component, or one of a share"),
    "shares of classes that are none": ({"class_shares": torch.zeros(3)}, "classes have shares below 0, or none"),
    "a class too many": ({"class_shares": torch.ones(4)}, "class_shares must be of shape"),
    "factors of another size": ({"factors": torch.zeros(3, 2, 4, 5)}, "factors must be of shape"),
    "directions of another size": ({"directions": torch.zeros(5, 7)}, "directions must be of shape"),
    "a pooling above one": ({"pooling": 1.5}, "pooling must lie between 0 and 1"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_release_is_refused_in_one_line(case: str) -> None:
    changes, words = DAMAGED[case]
    with pytest.raises(InputError, match=words) as caught:
        MixtureDensities(**given(**changes))
    assert "\n" not in str(caught.value)


def test_factors_too_large_for_a_root_are_refused_when_they_are_asked() -> None:
    release = MixtureDensities(**given(factors=torch.full((3, 2, 4, 4), 1e30)))
    with pytest.raises(InputError, match="a covariance is none"):
        release.of_features(torch.zeros(1, FEATURES))


def test_a_generator_gives_the_densities_of_its_own_buffers_without_the_scatter_of_its_samples() -> None:
    shape, scores = (1, 8, 8), []
    x = torch.rand(5, *shape, generator=torch.Generator().manual_seed(8))
    for scatter in (1.0, 0.3):
        config = MixtureGeneratorConfig(num_directions=DIM, num_components=COMPONENTS, radius=4, scatter=scatter)
        network = config.build(shape, CLASSES, config.latent_dim(shape), torch.Generator())
        for name, value in given(directions=torch.eye(DIM, config.num_features(shape))).items():
            if name not in ("offset", "class_shares"):
                getattr(network, name).copy_(value)
        scores.append(network.log_likelihoods(x, given()["class_shares"].double()))
        expected = given(directions=torch.eye(DIM, config.num_features(shape)), offset=network.offset)
        places = config.features(x).double()
        assert torch.equal(scores[-1], MixtureDensities(**expected).of_features(places))
    assert torch.equal(*scores)


def test_the_numbers_are_those_that_the_page_names() -> None:
    assert (densities.POOLING, densities.SURENESS) == (0.2, 0.25)
    config = MixtureGeneratorConfig(radius=4)
    network = config.build((1, 8, 8), 3, config.latent_dim((1, 8, 8)), torch.Generator())
    assert network.sureness == densities.SURENESS
