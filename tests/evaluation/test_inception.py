"""The Inception FID: what the network receives, and that no weights file can run code.

The weights are random, the network and the code that loads it are the real ones.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from crews import linked
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation import inception
from gossamer.evaluation.inception import InceptionEncoder, find_inception_weights
from gossamer.evaluation.suite import InceptionFeatures, fid_inception


@pytest.fixture(scope="module")
def weights_file(fidelity_modules: dict[str, ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    extractor = fidelity_modules["torch_fidelity.feature_extractor_inceptionv3"].FeatureExtractorInceptionV3
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(extractor, "load_state_dict", lambda *_: None)
        torch.save(extractor("made", ["2048"], feature_extractor_weights_path="unused").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def encoder(fidelity_modules: dict[str, ModuleType], weights_file: Path) -> InceptionEncoder:
    with pytest.MonkeyPatch.context() as patch:
        for name, module in fidelity_modules.items():
            patch.setitem(sys.modules, name, module)
        return InceptionEncoder.load(weights_file)


@pytest.fixture
def received(encoder: InceptionEncoder) -> Iterator[list[torch.Tensor]]:
    """What the network is given, in order."""
    given: list[torch.Tensor] = []
    handle = encoder.network.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].clone()))
    yield given
    handle.remove()


def strokes(num_images: int, channels: int = 1) -> NDArray[np.float32]:
    """White strokes on black, with grey values in between."""
    images = np.zeros((num_images, channels, 9, 9), dtype=np.float32)
    images[:, :, 2:7, 4] = 1.0
    images[:, :, 2:7, 3] = np.random.default_rng(0).random((num_images, channels, 5), dtype=np.float32)
    return images


@pytest.mark.usefixtures("torch_fidelity")
def test_processes_share_the_images_and_see_them_alike(encoder: InceptionEncoder) -> None:
    images = strokes(5)
    with linked(2) as ranks:
        shared = encoder.features(images, batch_size=2, crew=ranks[0])
    assert np.array_equal(shared, encoder.features(images, batch_size=2))


@pytest.mark.usefixtures("torch_fidelity")
def test_features_are_those_of_torch_fidelity_on_bytes_made_by_hand(
    weights_file: Path, encoder: InceptionEncoder
) -> None:
    module = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    theirs = module.FeatureExtractorInceptionV3("theirs", ["2048"], feature_extractor_weights_path=str(weights_file))
    levels = np.random.default_rng(1).integers(256, size=(4, 1, 8, 8), dtype=np.uint8)
    expected = theirs(torch.from_numpy(np.concatenate([levels, levels, levels], axis=1)))[0].numpy()
    found = encoder.features(levels.astype(np.float32) / np.float32(255), batch_size=3)
    assert found.shape == (4, 2048)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    # The tolerance would not forgive inverted strokes.
    inverted = encoder.features(1 - levels[:2].astype(np.float32) / np.float32(255))
    assert not np.allclose(inverted, expected[:2], rtol=1e-2)


def test_the_network_receives_rounded_bytes_scaled_once(
    encoder: InceptionEncoder, received: list[torch.Tensor]
) -> None:
    images = strokes(1)
    images[0, 0, 0, :4] = [0.0, 1.0, 0.5, 1 / 255]
    images[0, 0, 1, :4] = np.array([0.499, 0.501, 254.4, 254.6]) / 255
    encoder.features(images)
    (given,) = received
    assert given.dtype == torch.uint8
    assert np.array_equal(given.numpy(), np.repeat(np.rint(255 * images.astype(np.float64)), 3, axis=1))
    # Black stays black and white stays white.
    assert given[0, :, 0, :4].tolist() == [[0, 255, 128, 1]] * 3
    assert given[0, :, 1, :4].tolist() == [[0, 1, 254, 255]] * 3
    assert given[0, 0, 2:7, 4].tolist() == [255] * 5
    assert given[0, 0, 8].tolist() == [0] * 9


def test_colours_keep_their_places(encoder: InceptionEncoder, received: list[torch.Tensor]) -> None:
    images = strokes(1, channels=3)
    images[:, 1] *= 0.5
    encoder.features(images)
    assert np.array_equal(received[0].numpy(), np.rint(255 * images.astype(np.float64)))


def test_batches_do_not_change_features(encoder: InceptionEncoder, received: list[torch.Tensor]) -> None:
    images = strokes(3)
    np.testing.assert_allclose(encoder.features(images, batch_size=2), encoder.features(images), rtol=1e-4, atol=1e-5)
    assert [len(part) for part in received] == [2, 1, 3]


def test_distance_goes_by_its_own_name(encoder: InceptionEncoder) -> None:
    features = np.random.default_rng(2).normal(size=(2, 60, 24))
    terms = {"seed": 3, "words": encoder.description, "permit_few_samples": False}
    score = fid_inception(InceptionFeatures(draw=features[0], real=features[1], **terms))
    assert (score.name, score.seeds, score.num_synthetic) == ("fid_inception", (3,), 60)
    assert encoder.description in score.source
    with pytest.raises(InputError, match="allow-few-samples"):
        fid_inception(InceptionFeatures(draw=features[0][:20], real=features[1], **terms))


def test_weights_that_were_not_published_are_named_so(
    torch_fidelity: ModuleType, weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "other than the published weights" in InceptionEncoder.load(weights_file).description
    monkeypatch.setattr(inception, "_WEIGHTS_DIGEST", hashlib.sha256(weights_file.read_bytes()).hexdigest()[:8])
    assert InceptionEncoder.load(weights_file).description == "2,048 features of Inception (2015-12-05)"


class Hostile:
    """A pickle that leaves a mark when it is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.usefixtures("torch_fidelity")
def test_code_in_a_weights_file_is_not_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "mark"
    torch.save({"fc.weight": Hostile(mark)}, path)
    with pytest.raises(InputError, match="plain tensors") as error:
        InceptionEncoder.load(path)
    assert not mark.exists()
    assert "\n" not in str(error.value)
    # It would have been, as torch-fidelity reads it.
    torch.load(path, weights_only=False)
    assert mark.exists()


@pytest.mark.usefixtures("torch_fidelity")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (torch.zeros(3), "not a dictionary"),
        ({"fc.weight": 3}, "not a dictionary"),
        ({"fc.weight": torch.zeros(1008, 2048)}, "another network"),
        ({7: torch.zeros(2)}, "another network"),
        ({}, "another network"),
    ],
)
def test_wrong_tensors_are_refused_in_one_line(tmp_path: Path, content: object, says: str) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=says) as error:
        InceptionEncoder.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("torch_fidelity")
@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 broken"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="plain tensors"):
        InceptionEncoder.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        InceptionEncoder.load(tmp_path)


@pytest.mark.parametrize("failure", [ImportError, RuntimeError])
def test_a_missing_torchvision_is_named(
    failure: type[Exception], weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def find_spec(self, name: str, *_: object) -> None:
            if name.startswith("torch_fidelity"):
                raise failure("operator torchvision::nms does not exist")

    monkeypatch.setattr(sys, "meta_path", [Failing(), *sys.meta_path])
    with pytest.raises(InputError, match="pip install torch-fidelity") as error:
        InceptionEncoder.load(weights_file)
    assert "\n" not in str(error.value)


def test_weights_are_looked_for_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, named, cache = (tmp_path / name for name in ("given.pth", "named.pth", "cache"))
    cache.mkdir()
    monkeypatch.delenv("GOSSAMER_INCEPTION_WEIGHTS", raising=False)
    with pytest.raises(InputError) as error:
        find_inception_weights(None, cache)
    for word in (str(cache), "weights-inception-2015-12-05-6726825d.pth", "GOSSAMER_INCEPTION_WEIGHTS", "releases"):
        assert word in str(error.value)
    assert "\n" not in str(error.value)
    cached = cache / "weights-inception-2015-12-05-6726825d.pth"
    cached.touch()
    assert find_inception_weights(None, cache) == cached
    monkeypatch.setenv("GOSSAMER_INCEPTION_WEIGHTS", str(named))
    # A choice that leads nowhere is an error, not a reason to take another file.
    with pytest.raises(InputError, match="named"):
        find_inception_weights(None, cache)
    named.touch()
    assert find_inception_weights(None, cache) == named
    with pytest.raises(InputError, match="given"):
        find_inception_weights(given, cache)
    given.touch()
    assert find_inception_weights(given, cache) == given


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: x * 255, "image 0"),
        (lambda x: (x * 255).astype(np.uint8), "divide uint8 by 255"),
        (lambda x: x - 0.01, "image 0"),
        (lambda x: np.where(x == 1, np.nan, x), "image 0"),
        (lambda x: x[:, 0], "shape"),
        (lambda x: x[:0], "shape"),
        (lambda x: np.repeat(x, 2, axis=1), "shape"),
    ],
)
def test_images_of_another_scale_or_shape_are_refused(change: Callable[[NDArray], NDArray], says: str) -> None:
    encoder = InceptionEncoder(network=torch.nn.Identity(), description="unused")
    with pytest.raises(InputError, match=says):
        encoder.features(change(strokes(2)))
