"""The verdict itself: grades at their thresholds, its words, its way to the disk and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.methods.trained import GeneratorRecipe
from gossamer.methods.verdict import NOTHING_TO_SHARE, Grade, Judged, Verdict
from gossamer.nn.images.settings import MLPGeneratorConfig
from gossamer.nn.latents import UniformLatent
from gossamer.runs.config_io import from_json_tree, to_json_tree

RECIPE = GeneratorRecipe(
    network=MLPGeneratorConfig(), latent=UniformLatent(dim=4), spec=ImageSpec(channels=1, height=8, width=8)
)
VERDICTS = (
    None,
    Verdict.of_sums(0.0, None, False),
    Verdict.of_sums(0.9, 1.0, True),
    Verdict.of_sums(0.9, 1.0, True, Judged.EMBEDDINGS),
    Verdict.of_gradients(1e-4, 2.0),
)


@pytest.mark.parametrize(
    ("signal", "apart", "grade"),
    [
        (0.39, None, Grade.FAINT), (0.4, None, Grade.CLEAR), (0.24, None, Grade.NOISE), (0.25, None, Grade.FAINT),
        (0.9, 0.89, Grade.FAINT), (0.4, 0.9, Grade.CLEAR), (0.05, 0.09, Grade.NOISE), (0.05, 0.1, Grade.FAINT),
        (0.9, 0.0, Grade.FAINT), (0.0, 1.0, Grade.FAINT),
    ],
)  # fmt: skip
def test_sums_are_clear_if_most_is_above_noise_and_all_classes_are_apart(
    signal: float, apart: float | None, grade: Grade
) -> None:
    assert Verdict.of_sums(signal, apart, True).grade is grade


@pytest.mark.parametrize(("strength", "grade"), [(0.99, Grade.NOISE), (1.0, Grade.FAINT), (1e6, Grade.FAINT)])
def test_gradients_are_never_called_clear_because_they_are_no_samples(strength: float, grade: Grade) -> None:
    verdict = Verdict.of_gradients(0.5, strength)
    assert verdict.grade is grade
    assert verdict.judged is Judged.GRADIENTS
    assert grade is Grade.NOISE or "judges the gradients and not the samples" in " ".join(verdict.sentences)


def test_noise_is_called_noise_and_advised_against_and_nothing_else_is() -> None:
    nothing, level, clear = (Verdict.of_sums(*numbers) for numbers in ((0, 0, False), (0, 0, True), (1, 1, True)))
    assert "are noise" in nothing.sentences[-1]
    assert "Only the common level of the records is known" in level.sentences[-1]
    assert not any("nothing" in sentence for sentence in clear.sentences)
    assert nothing.advice == level.advice == NOTHING_TO_SHARE
    assert clear.advice is None
    assert not clear.is_noise


@pytest.mark.parametrize("name", ["signal", "classes_apart"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        replace(Verdict(grade=Grade.NOISE, signal=0.5), **{name: value})


@pytest.mark.parametrize("verdict", VERDICTS)
def test_it_lies_in_the_recipe_of_a_generator_and_comes_back(verdict: Verdict | None) -> None:
    recipe = replace(RECIPE, verdict=verdict)
    assert from_json_tree(GeneratorRecipe, to_json_tree(recipe), "file") == recipe


def test_a_recipe_from_before_there_were_verdicts_has_none() -> None:
    tree = to_json_tree(RECIPE)
    del tree["verdict"]
    assert from_json_tree(GeneratorRecipe, tree, "file") == RECIPE


@pytest.mark.parametrize("changed", [{"grade": "good"}, {"grade": 1}, {"grade": []}, {"signal": 2.0}, {"judged": "x"}])
def test_a_verdict_changed_by_hand_is_refused(changed: dict[str, object]) -> None:
    tree = to_json_tree(replace(RECIPE, verdict=VERDICTS[1]))
    tree["verdict"] |= changed
    with pytest.raises(InputError, match="file"):
        from_json_tree(GeneratorRecipe, tree, "file")


def test_labels_that_mean_nothing_are_said_in_words_and_not_in_percent() -> None:
    none, some = (" ".join(Verdict.of_sums(0.58, apart, True).sentences) for apart in (0.0, 0.1))
    assert "No two classes differ beyond noise, so the labels of samples may mean nothing" in none
    assert "10 % of the pairs of classes differ beyond noise" in some


def test_gradients_that_chance_hides_are_not_said_to_teach_nothing() -> None:
    """No proof that something is above noise is no proof that nothing is."""
    hidden, weak = (" ".join(Verdict.of_gradients(signal, 0.5).sentences) for signal in (0.0, 1e-6))
    assert "most likely noise. After a short run this may be said too early: look at them" in hidden
    assert "teach nothing" in weak
    assert "teach nothing" not in hidden


@pytest.mark.parametrize("signal", [0.9, 0.3, 0.1])
def test_a_share_of_mean_features_is_not_said_of_samples(signal: float) -> None:
    """DP-MERF drew X-rays of twice the true spread where 94 % of the features were above noise."""
    features = Verdict.of_sums(signal, float(signal > 0.2), True, Judged.EMBEDDINGS)
    sums = Verdict.of_sums(signal, float(signal > 0.2), True)
    assert features.grade is sums.grade
    assert "of what the released mean features hold" in features.sentences[0]
    assert "of what the samples show" in sums.sentences[0]
    assert ("look at the samples" in " ".join(features.sentences)) is not features.is_noise


@pytest.mark.parametrize(("apart", "grade"), [(None, Grade.FAINT), (1.0, Grade.CLEAR)])
def test_mean_features_are_clear_only_if_classes_show_it(apart: float | None, grade: Grade) -> None:
    """X-rays without classes were half noise at epsilon 0.3, where 69 % of the features were above it."""
    verdict = Verdict.of_sums(0.69, apart, True, Judged.EMBEDDINGS)
    assert verdict.grade is grade
    assert ("Without classes nothing tells of more" in " ".join(verdict.sentences)) is (apart is None)
