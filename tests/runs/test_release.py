"""A released file is read without running code: what is damaged or foreign is refused in one line."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.estimators import load_generator
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.images.settings import MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import (
    FORMAT,
    SavedGenerator,
    clear_unfinished,
    find_generator,
    generator_digest,
    read_generator,
    saved_generators,
    saved_path,
    write_generator,
    write_release,
    write_saved_generator,
)

RECIPE = GeneratorRecipe(
    network=MLPGeneratorConfig(hidden_sizes=(5,)),
    latent=NormalLatent(dim=3),
    spec=ImageSpec(channels=1, height=4, width=5, class_names=("a", "b")),
)


@pytest.fixture(scope="module")
def statement() -> dict[str, Any]:
    plan = OneOfManyPlan(
        unit=Unit.RECORD,
        num_slots=100,
        num_critics=10,
        num_steps=3,
        batch_size=4,
        draws_per_step=4,
        clip_norm=1.0,
        noise_multiplier=2.0,
    )
    terms = ClaimTerms(delta=1e-4, method="gs-wgan", sample_size=20, is_secure=True)
    return plan.statement(terms).to_json()


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return dict(RECIPE.build(torch.Generator().manual_seed(1)).state_dict())


@pytest.fixture(scope="module")
def file(tmp_path_factory: Any, weights: Any, statement: Any, shared_folders: Any) -> Path:
    path = tmp_path_factory.mktemp("released") / "generator.safetensors"
    write_generator(path, weights=weights, recipe=to_json_tree(RECIPE), statement=statement)
    return shared_folders.add(path)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_generator(path)
    line = str(caught.value)
    assert line.isprintable()
    assert str(path) in line
    return line


def test_a_released_generator_comes_back_whole(file: Path, weights: Any, statement: Any) -> None:
    trained = load_generator(file)
    assert trained.recipe == RECIPE
    assert trained.statement == PrivacyStatement.from_json(statement)
    assert all(torch.equal(trained.weights[name], weights[name]) for name in weights)
    images, labels = trained.sample(5, seed=3)
    assert images.shape == (5, 1, 4, 5)
    assert labels is not None
    assert labels.tolist() == [0, 1, 0, 1, 0]


def test_a_release_is_five_files_and_the_generator_comes_last(
    tmp_path: Path, weights: Any, statement: Any, monkeypatch: Any
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    order: list[str] = []
    replace = Path.replace

    def spy(self: Path, target: Path) -> Path:
        order.append(Path(target).name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    path = write_release(
        folder,
        weights=weights,
        recipe=to_json_tree(RECIPE),
        statement=statement,
        text="in plain words\n",
        card="a card\n",
    )
    assert order == [
        "privacy.json", "PRIVACY.md", "README.md", "manifest.json", "release.sha256", "generator.safetensors",
    ]  # fmt: skip
    assert sorted(each.name for each in folder.release.iterdir()) == sorted({*order} - {"release.sha256"})
    assert json.loads((folder.release / "privacy.json").read_text()) == statement
    assert read_generator(path)[2] == statement


def test_a_file_of_another_kind_is_refused(tmp_path: Path, weights: Any, statement: Any) -> None:
    path = tmp_path / "generator.safetensors"
    assert "no released generator here" in refusal(path)
    assert "no released generator here" in refusal(tmp_path)
    for content in (b"", b"hello", pickle.dumps(weights), b"PK\x03\x04", b"\xff" * 64):
        path.write_bytes(content)
        assert "not a generator" in refusal(path)
    save_file(weights, path)
    assert "not a generator" in refusal(path)
    save_file(weights, path, metadata={"format": FORMAT})
    assert "not a generator" in refusal(path)


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("echo a pickle was run; exit 1",)


def test_a_pickle_in_its_place_is_not_run(tmp_path: Path, capfd: Any) -> None:
    path = tmp_path / "generator.safetensors"
    torch.save({"weights": Bomb()}, path)
    assert "not a generator" in refusal(path)
    assert "a pickle was run" not in capfd.readouterr().out


@pytest.mark.parametrize("header", ["[]", "3", "null", '"text"', "{", "[" * 100_000, "{}"])
@pytest.mark.parametrize("which", ["recipe", "statement"])
def test_a_header_that_holds_something_else_is_refused(
    tmp_path: Path, weights: Any, statement: Any, header: str, which: str
) -> None:
    path = tmp_path / "generator.safetensors"
    good = {"format": FORMAT, "recipe": json.dumps(to_json_tree(RECIPE)), "statement": json.dumps(statement)}
    save_file(weights, path, metadata=good)
    load_generator(path)
    save_file(weights, path, metadata=good | {which: header})
    refusal(path)


def test_a_recipe_that_asks_for_more_memory_than_the_file_has_weights_is_refused_before_it_takes_any(
    tmp_path: Path, weights: Any, statement: Any
) -> None:
    path = tmp_path / "generator.safetensors"
    recipe = to_json_tree(RECIPE)
    for sizes in ([10**12], [10**9, 10**9], [1000, 1000]):
        recipe["network"] = recipe["network"] | {"hidden_sizes": sizes}
        write_generator(path, weights=weights, recipe=recipe, statement=statement)
        assert "asks for more" in refusal(path)


@pytest.mark.parametrize("side", [10**4, 2**20 + 1, 10**12])
def test_a_recipe_of_records_that_fill_any_memory_is_refused(
    tmp_path: Path, weights: Any, statement: Any, side: int
) -> None:
    path, recipe = tmp_path / "generator.safetensors", to_json_tree(RECIPE)
    recipe["spec"] = recipe["spec"] | {"height": side, "width": side}
    write_generator(path, weights=weights, recipe=recipe, statement=statement)
    refusal(path)


@pytest.mark.parametrize("damage", ["absent", "surplus", "shape", "nan", "integers"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, weights: Any, statement: Any, damage: str) -> None:
    path, changed = tmp_path / "generator.safetensors", dict(weights)
    name = next(iter(changed))
    match damage:
        case "absent":
            del changed[name]
        case "surplus":
            changed["critic"] = torch.zeros(3)
        case "shape":
            changed[name] = changed[name][:-1]
        case "nan":
            changed[name] = torch.full_like(changed[name], torch.nan)
        case _:
            changed[name] = torch.full(changed[name].shape[:-1], 3)
    write_generator(path, weights=changed, recipe=to_json_tree(RECIPE), statement=statement)
    refusal(path)


def test_an_edited_claim_below_its_own_delta_rule_is_refused(tmp_path: Path, weights: Any, statement: Any) -> None:
    path = tmp_path / "generator.safetensors"
    for change in ({"delta": 0.5}, {"epsilon": -1.0}, {"epsilon": None}, {"surprise": 1}, {"parameters": 3}):
        write_generator(path, weights=weights, recipe=to_json_tree(RECIPE), statement=statement | change)
        refusal(path)


MUTATIONS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations=MUTATIONS, kept=st.floats(0, 1) | st.just(1.0))
@example(mutations=[(0.0, 255)], kept=1.0)
def test_random_damage_is_refused_or_harmless(file: Path, tmp_path: Path, mutations: Any, kept: float) -> None:
    """Bytes changed at random places, the header's most of all, and the end cut off."""
    content = bytearray(file.read_bytes())
    for place, value in mutations:
        content[int(place * len(content))] = value
    path = tmp_path / "generator.safetensors"
    path.write_bytes(content[: max(1, round(kept * len(content)))])
    found: TrainedGenerator | InputError
    try:
        found = load_generator(path)
    except InputError as error:
        found = error
    if isinstance(found, TrainedGenerator):
        found.sample(2)
    else:
        assert "\n" not in str(found)


def test_the_header_is_most_of_the_small_file_so_that_random_damage_meets_it(file: Path) -> None:
    with safe_open(file, framework="pt") as opened:
        assert sum(map(len, opened.metadata().values())) > 0.5 * file.stat().st_size


def test_one_generator_saved_twice_is_one_file_to_the_last_byte(
    tmp_path: Path, file: Path, weights: Any, statement: Any
) -> None:
    recipe = to_json_tree(RECIPE)
    for number in range(20):
        again = tmp_path / f"{number}.safetensors"
        write_generator(again, weights=weights, recipe=recipe, statement=statement)
        assert again.read_bytes() == file.read_bytes()
    read = read_generator(again)
    write_generator(again, weights=read[0], recipe=read[1], statement=read[2])
    assert again.read_bytes() == file.read_bytes()


def test_a_file_of_an_earlier_version_with_three_names_in_its_header_is_read(
    tmp_path: Path, file: Path, weights: Any, statement: Any
) -> None:
    older, recipe = tmp_path / "older.safetensors", to_json_tree(RECIPE)
    header = {"format": FORMAT, "recipe": json.dumps(recipe), "statement": json.dumps(statement)}
    found = set()
    for _ in range(40):
        save_file(weights, older, metadata=header)
        found.add(older.read_bytes())
        assert read_generator(older)[1:] == (recipe, statement)
        assert generator_digest(*read_generator(older)) == generator_digest(*read_generator(file))
    # Planted: this header makes several files of one generator.
    assert len(found) > 1


@pytest.mark.parametrize("text", ["[]", "1", "{}", "{", '{"format": "other", "recipe": {}, "statement": {}}'])
def test_a_header_of_anything_else_is_refused_in_one_line(tmp_path: Path, weights: Any, text: str) -> None:
    save_file(weights, tmp_path / "generator.safetensors", metadata={"gossamer": text})
    assert "not a generator" in refusal(tmp_path / "generator.safetensors")


def test_saved_generators_come_back_in_rising_order_and_whole(tmp_path: Path, weights: Any, statement: Any) -> None:
    folder = RunFolder.create(tmp_path / "run")
    assert saved_generators(folder) == ()
    for step in (1_000_000, 30, 4):
        saved = write_saved_generator(
            folder,
            step,
            weights=weights,
            recipe=to_json_tree(RECIPE),
            statement=statement,
            text="in plain words\n",
            card="a card\n",
        )
        assert saved == SavedGenerator(step=step, path=saved_path(folder, step))
        assert sorted(each.name for each in saved.path.iterdir()) == [
            "PRIVACY.md", "README.md", "generator.safetensors", "manifest.json", "privacy.json",
        ]  # fmt: skip
        assert load_generator(saved.path).statement == PrivacyStatement.from_json(statement)
    assert [saved.step for saved in saved_generators(folder)] == [4, 30, 1_000_000]
    assert saved_path(folder, 4).name == "step-000004"


def test_what_is_no_whole_saved_generator_is_not_listed(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    for name in ("step-000003", "step-4", "step-00000x", ".step-000005.partial", "other"):
        (folder.saved / name).mkdir(parents=True)
    for name in ("step-4", ".step-000005.partial"):
        (folder.saved / name / "generator.safetensors").touch()
    assert saved_generators(folder) == ()
    clear_unfinished(folder)
    assert sorted(path.name for path in folder.saved.iterdir()) == ["other", "step-000003", "step-00000x", "step-4"]


def test_a_generator_is_found_in_a_run_in_a_release_and_beside_its_statement(
    tmp_path: Path, weights: Any, statement: Any
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    path = write_release(
        folder, weights=weights, recipe=to_json_tree(RECIPE), statement=statement, text="words\n", card="card\n"
    )
    assert find_generator(folder.path) == find_generator(folder.release) == find_generator(path) == path
