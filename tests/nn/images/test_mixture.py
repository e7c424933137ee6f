"""The mixture generator: what it draws, how images are set upright and back, and what its features promise."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.images.mixture import MixtureGenerator
from gossamer.nn.images.postures import AsItStands, Upright
from gossamer.nn.images.settings import MixtureGeneratorConfig

CONFIG = MixtureGeneratorConfig(num_directions=4, num_components=3, radius=5)
SHAPES = [(1, 28, 28), (1, 8, 8), (3, 32, 32), (1, 4, 4), (3, 5, 5), (1, 9, 40), (1, 128, 128)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(
    config: MixtureGeneratorConfig, shape: tuple[int, int, int] = (1, 8, 8), classes: int = 3
) -> MixtureGenerator:
    network = config.build(shape, classes, config.latent_dim(shape), seeded())
    for name, buffer in network.named_buffers():
        if name not in ("basis", "shares"):
            buffer.copy_(torch.randn(buffer.shape, generator=seeded(len(name))))
    return network


def latents(config: MixtureGeneratorConfig, count: int, shape: tuple[int, int, int] = (1, 8, 8)) -> Tensor:
    return torch.randn(count, config.latent_dim(shape), generator=seeded(7))


@pytest.mark.parametrize("posture", [AsItStands(), Upright()], ids=lambda posture: type(posture).__name__)
@pytest.mark.parametrize("shift", [0.0, 0.05])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_draws_every_shape_in_the_unit_range(
    shape: tuple[int, int, int], shift: float, posture: AsItStands | Upright
) -> None:
    config = replace(CONFIG, shift=shift, posture=posture)
    images = built(config, shape)(50 * latents(config, 2, shape), torch.tensor([0, 2]))
    assert images.shape == (2, *shape)
    assert 0 <= images.min() <= images.max() <= 1
    without = config.build(shape, 0, config.latent_dim(shape), seeded())
    assert without(latents(config, 2, shape), None).shape == (2, *shape)


def test_all_it_knows_are_its_buffers_and_they_save_and_load() -> None:
    network = built(CONFIG)
    assert list(network.parameters()) == []
    assert set(network.state_dict()) == {"centres", "factors", "shares", "directions", "offset"}
    other = CONFIG.build((1, 8, 8), 3, CONFIG.latent_dim((1, 8, 8)), seeded(1))
    other.load_state_dict(network.state_dict())
    label = torch.tensor([0, 1, 2, 0])
    assert torch.equal(other(latents(CONFIG, 4), label), network(latents(CONFIG, 4), label))


def test_weights_from_before_the_offset_draw_what_they_drew_and_other_gaps_are_refused() -> None:
    """Without an offset the equation is the older one, bit for bit."""
    older = built(CONFIG).state_dict()
    del older["offset"]
    network = CONFIG.build((1, 8, 8), 3, CONFIG.latent_dim((1, 8, 8)), seeded(1))
    network.load_state_dict(older)
    z, label = latents(CONFIG, 40), torch.arange(40) % 3
    component = network._component(z[:, 0], label)
    step = torch.einsum("bde,be->bd", older["factors"][label, component], z[:, 1:5])
    features = (older["centres"][label, component] + step) @ older["directions"]
    drawing = (features[:, None] @ network.basis + CONFIG.brightness).view(40, 1, 8, 8)
    assert torch.equal(network(z, label), (0.5 + (drawing - 0.5)).clamp(0, 1))
    for name in older:
        with pytest.raises(RuntimeError, match=name):
            network.load_state_dict({key: older[key] for key in older if key != name})


def test_the_offset_is_added_to_all_that_is_drawn() -> None:
    """Centres and factors of zero: the drawing is the level alone, and no direction knows it."""
    network = CONFIG.build((1, 8, 8), 3, CONFIG.latent_dim((1, 8, 8)), seeded())
    network.offset.copy_(CONFIG.features(torch.full((1, 1, 8, 8), 0.8))[0])
    drawn = network(latents(CONFIG, 5), torch.tensor([0, 1, 2, 0, 1]))
    assert torch.allclose(drawn, torch.full_like(drawn, 0.8), atol=1e-6)


def test_a_sample_depends_on_its_own_latent_and_label_alone() -> None:
    network, z, label = built(CONFIG), latents(CONFIG, 6), torch.tensor([0, 1, 2, 0, 1, 2])
    alone = torch.cat([network(z[i : i + 1], label[i : i + 1]) for i in range(6)])
    assert torch.allclose(network(z, label), alone, atol=1e-6)


def test_a_latent_of_another_length_and_a_missing_label_are_refused() -> None:
    with pytest.raises(InputError, match="latent dim"):
        CONFIG.build((1, 8, 8), 3, 4, seeded())
    with pytest.raises(InputError, match="length"):
        built(CONFIG)(torch.zeros(1, 3), torch.tensor([0]))
    with pytest.raises(InputError, match="label"):
        built(CONFIG)(latents(CONFIG, 1), None)


def test_components_are_drawn_in_their_shares() -> None:
    """Fixed latents: the same at every run."""
    network = built(replace(CONFIG, num_components=3))
    network.shares.copy_(torch.tensor([[0.6, 0.3, 0.1], [0.0, 1.0, 0.0], [2.0, 1.0, 1.0]]))
    normal = torch.randn(30_000, generator=seeded(3))
    for row, expected in enumerate([[0.6, 0.3, 0.1], [0.0, 1.0, 0.0], [0.5, 0.25, 0.25]]):
        drawn = network._component(normal, torch.full((30_000,), row))
        shares = torch.bincount(drawn, minlength=3) / 30_000
        assert torch.allclose(shares, torch.tensor(expected), atol=0.012)
    extreme = network._component(torch.tensor([40.0, -40.0]), torch.tensor([0, 0]))
    assert extreme.tolist() == [2, 0]


def test_places_have_the_covariance_of_the_factors() -> None:
    """Features of what is drawn, where nothing is cut at black or white. Fixed latents."""
    config = replace(CONFIG, num_components=1, num_directions=3, brightness=0.5)
    network = built(config)
    network.directions.copy_(torch.linalg.qr(network.directions.T)[0].T)
    network.centres.zero_()
    network.offset.zero_()
    network.factors.mul_(0.05)
    drawn = network(latents(config, 20_000), torch.zeros(20_000, dtype=torch.int64))
    places = config.features(drawn) @ network.directions.T
    expected = network.factors[0, 0] @ network.factors[0, 0].T
    assert torch.allclose(torch.cov(places.T), expected, atol=0.05 * float(expected.norm()))


def test_a_remainder_spreads_samples_beyond_the_directions_and_without_one_nothing_changes() -> None:
    """Features of what is drawn, where nothing is cut at black or white. Fixed latents."""
    without = replace(CONFIG, num_components=1, num_directions=3, brightness=0.5)
    config = replace(without, remainder=0.5)
    features = config.num_features((1, 8, 8))
    assert config.latent_dim((1, 8, 8)) == without.latent_dim((1, 8, 8)) + features
    network = built(config)
    for name in ("centres", "offset", "factors"):
        getattr(network, name).zero_()
    network.beyond.mul_(0.02)
    drawn = network(latents(config, 20_000), torch.zeros(20_000, dtype=torch.int64))
    expected = 0.25 * network.beyond.T @ network.beyond
    assert torch.allclose(torch.cov(config.features(drawn).T), expected, atol=0.05 * float(expected.norm()))
    plain = built(without)
    assert "beyond" not in plain.state_dict()
    with_none = {name: value for name, value in built(config).state_dict().items() if name != "beyond"}
    plain.load_state_dict(with_none)


def slanted_bar(slant: float, size: int = 28) -> Tensor:
    """A soft bar through the centre, its place moving by ``slant`` pixels a row."""
    place = torch.arange(size) - (size - 1) / 2
    inside = (place.abs() < size / 3).float()
    return (torch.exp(-((place[None] - slant * place[:, None]) ** 2) / 4) * inside[:, None])[None, None]


@pytest.mark.parametrize("slant", [-0.6, -0.2, 0.0, 0.3, 0.7])
def test_a_slanted_bar_is_set_upright_and_its_slant_told(slant: float) -> None:
    upright, told = Upright().set_upright(slanted_bar(slant))
    assert float(told) == pytest.approx(slant, abs=0.03)
    assert abs(float(Upright().set_upright(upright)[1])) < 0.05
    assert torch.allclose(upright, slanted_bar(0.0), atol=0.2)


def test_a_drawn_image_gets_its_slant_back() -> None:
    """A generator that knows one image, by its features: it draws the image, as it stood, from latents of zero."""
    image = slanted_bar(0.5)
    config = MixtureGeneratorConfig(num_directions=1, radius=24, posture=Upright(), brightness=0.1)
    network = config.build((1, 28, 28), 0, config.latent_dim((1, 28, 28)), seeded())
    features = config.features(image)
    network.directions.copy_(features / features.norm())
    network.centres.fill_(float(features.norm()))
    drawn = network(torch.zeros(1, 2), None)
    assert float((drawn - image).abs().mean()) < 0.02
    flat = replace(config, posture=AsItStands())
    assert float((upright_of(flat, image) - image).abs().mean()) < 0.01


def upright_of(config: MixtureGeneratorConfig, image: Tensor) -> Tensor:
    network = config.build((1, 28, 28), 0, config.latent_dim((1, 28, 28)), seeded())
    features = config.features(image)
    network.directions.copy_(features / features.norm())
    network.centres.fill_(float(features.norm()))
    return network(torch.zeros(1, 2), None)


@pytest.mark.parametrize("posture", [AsItStands(), Upright()], ids=lambda posture: type(posture).__name__)
def test_features_of_an_image_depend_on_no_other_image(posture: AsItStands | Upright) -> None:
    config = replace(CONFIG, posture=posture)
    images = torch.rand(9, 3, 8, 8, generator=seeded())
    together = config.features(images)
    assert together.shape == (9, config.num_features((3, 8, 8)))
    alone = torch.cat([config.features(image[None]) for image in images])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_features_of_an_empty_image_are_finite(value: float) -> None:
    assert replace(CONFIG, posture=Upright()).features(torch.full((1, 1, 8, 8), value)).isfinite().all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_directions", 0), ("num_components", 0), ("radius", 0.0), ("brightness", 1.5), ("contrast", 0.0),
     ("remainder", -0.1), ("rotation", 1.0), ("slant_weight", -1.0)],
)  # fmt: skip
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        replace(CONFIG, **{name: value})  # type: ignore[arg-type]


MOVED = replace(CONFIG, posture=Upright(), rotation=0.1, zoom=0.05, shift=0.03)


def test_an_image_is_looked_at_as_it_stands_and_moved_twice_for_each_motion_there_is() -> None:
    images = torch.rand(3, 1, 8, 8, generator=seeded())
    looks = list(built(MOVED).looks(images))
    assert [look.shape for look in looks] == [images.shape] * 9
    assert torch.equal(looks[0], images)
    assert all(not torch.equal(look, images) for look in looks[1:])
    [alone] = built(CONFIG).looks(images)
    assert torch.equal(alone, images)


def test_a_look_of_an_image_depends_on_no_other_image() -> None:
    images = torch.rand(4, 1, 8, 8, generator=seeded())
    for together, alone in zip(MOVED.motions.looks(images), MOVED.motions.looks(images[2:3]), strict=True):
        assert torch.equal(together[2:3], alone)


def test_looks_are_moved_as_far_as_drawings_are_in_the_mean_square() -> None:
    """An even ramp of brightness, moved sideways, tells at its middle how far."""
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    _, *moved = replace(CONFIG, shift=0.05).motions.looks(ramp)
    steps = torch.stack([(look - ramp)[0, 0, 32, 32] for look in moved]) * 63 / 64
    assert float(steps.mean()) == pytest.approx(0, abs=1e-6)
    assert float(steps.square().mean().sqrt()) == pytest.approx(0.05, rel=0.01)
