"""Cards say what the statement says and nothing else, and the tools that they are for can read them."""

from __future__ import annotations

import dataclasses
import gc
import json
import re
import warnings
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard
from hypothesis import given
from hypothesis import strategies as st

from gossamer.data.catalogue import find_named
from gossamer.data.folder_names import folder_name
from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon
from gossamer.runs.cards import CardFacts, DrawnFile, data_card, model_card, without_license
from gossamer.runs.croissant import CROISSANT, croissant
from gossamer.runs.drawn import SAMPLES_FILE, recording_files, sample_cards, write_cards, write_sample_cards
from gossamer.runs.samples import write_npz, write_png_folder
from gossamer.runs.series_files import write_series_npz
from gossamer.runs.wfdb_file import write_wfdb

IMAGES = ImageSpec(channels=1, height=8, width=8, class_names=("cat | dog", "`b`"))
SERIES = SeriesSpec(channels=2, length=20, low=(-1.0, 0.0), high=(1.0, 2.0), sample_rate=10.0, class_names=("N", "S"))


@pytest.fixture(scope="module")
def statement() -> PrivacyStatement:
    plan = OneOfManyPlan(
        unit=Unit.PERSON, num_slots=100, num_critics=10, num_steps=3, batch_size=4, draws_per_step=4, clip_norm=1.0,
        noise_multiplier=2.0,
    )  # fmt: skip
    return plan.statement(ClaimTerms(delta=1e-4, method="gs-wgan", sample_size=20, is_secure=True))


@pytest.fixture
def facts(statement: PrivacyStatement) -> CardFacts:
    return CardFacts(statement=statement, spec=IMAGES, network="MLPGenerator", num_weights=1234, paper=GS_WGAN.paper)


def drawn_records(spec: Any, num: int = 6) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).integers(0, 256, (num, *spec.shape)).astype(np.float32) / 255
    return x, np.arange(num) % 2


def metadata_of(folder: Path) -> mlcroissant.Dataset:
    """What mlcroissant makes of it, offline. It says what is recommended and absent in warnings of its log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own dependencies
        return mlcroissant.Dataset(jsonld=folder / CROISSANT)


# ---- the model card ------------------------------------------------------------------------------------------------


def test_both_cards_say_what_the_samples_are_worth_if_a_verdict_says_it(facts: CardFacts) -> None:
    title, judged = "## What the samples are worth", dataclasses.replace(facts, worth=("Verdict: noise.", "Planted."))
    for write in (model_card, lambda each: data_card(each, 6, ())):
        assert title not in write(facts)
        assert f"{title}\n\nVerdict: noise. Planted.\n" in write(judged)


def test_a_model_card_is_read_by_hugging_face_and_says_the_claim(facts: CardFacts) -> None:
    card = ModelCard(model_card(facts))
    head = card.data.to_dict()
    assert head["license"] == "other"
    assert head["library_name"] == "gossamer"
    assert head["pipeline_tag"] == "unconditional-image-generation"
    assert head["tags"] == ["differential-privacy", "synthetic-data", "gs-wgan"]
    assert "datasets" not in head
    statement = facts.statement
    for words in (
        f"({shown_epsilon(statement.epsilon)}, 0.0001)-differentially private for one person",
        *statement.not_covered,
        *statement.public_inputs,
        statement.mechanism,
        "| num critics | 10 |",
        "| noise multiplier | 2 |",
        "How to cite",
        "NeurIPS 2020",
        "records that are not named here",
    ):
        assert words in card.content


def test_only_a_published_data_set_is_named(facts: CardFacts) -> None:
    named = model_card(dataclasses.replace(facts, source=find_named("mnist")))
    assert ModelCard(named).data.to_dict()["datasets"] == ["ylecun/mnist"]
    assert "the published data set `mnist`" in named
    assert "mnist" not in model_card(facts)
    assert find_named("./mnist") is None


def test_insecure_noise_is_the_first_thing_that_a_card_says(facts: CardFacts) -> None:
    insecure = dataclasses.replace(facts, statement=dataclasses.replace(facts.statement, is_secure=False))
    for text in (model_card(insecure), data_card(insecure, 5, ())):
        body = text.split("---\n")[2].split("\n\n")
        assert body[1].startswith("**INSECURE")
    assert "INSECURE" not in model_card(facts)


@pytest.mark.parametrize("changes", [{"epsilon": 0.5}, {"num_tuning_runs": 3}, {"num_slots": 99}, {"not_covered": ()}])
def test_another_statement_makes_another_card(facts: CardFacts, changes: dict[str, Any]) -> None:
    other = dataclasses.replace(facts, statement=dataclasses.replace(facts.statement, **changes))
    assert model_card(other) != model_card(facts)
    assert data_card(other, 5, ()) != data_card(facts, 5, ())


def test_class_names_are_words_in_a_card_and_no_markup(facts: CardFacts) -> None:
    assert "(`cat | dog`, `'b'`)" in model_card(facts)


# ---- the license ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", ["license: mit\n", "license: other\nlicense_name: ours v1.0\nlicense_link: https://example.org/l?x=1\n"]
)
def test_a_license_can_be_filled_in_and_nothing_else_is_forgiven(facts: CardFacts, said: str) -> None:
    written = model_card(facts).encode()
    licensed = written.replace(b"license: other\n", said.encode(), 1)
    assert ModelCard(licensed.decode()).data.to_dict()["license"] == said.split()[1]
    assert without_license(licensed) == written
    for change in (
        licensed + b"Really anonymous.\n",
        licensed.replace(b"tags:\n", b"tags:\n- anonymous\n", 1),
        licensed.replace(b"---\n", b"---\nlicense: mit\n", 1),
        licensed.replace(b"differentially private", b"perfectly private", 1),
    ):
        assert without_license(change) != written


@given(st.binary(max_size=200))
def test_what_is_no_card_is_left_as_it_is(content: bytes) -> None:
    kept = without_license(content)
    assert kept == content or re.match(rb"---\nlicense: ", content)


# ---- the data card and Croissant -----------------------------------------------------------------------------------


def test_the_cards_of_a_file_of_images_name_its_digest_and_its_arrays(facts: CardFacts, tmp_path: Path) -> None:
    x, y = drawn_records(IMAGES)
    write_npz(tmp_path / SAMPLES_FILE, x, y)
    card, _ = write_sample_cards(tmp_path, facts)
    head = DatasetCard(card.read_text()).data.to_dict()
    assert head["license"] == "other"
    assert head["size_categories"] == ["n<1K"]
    assert head["task_categories"] == ["image-classification"]
    assert head["viewer"] is False
    metadata = metadata_of(tmp_path).metadata
    files = {file.id: file for file in metadata.distribution}
    assert set(files) == {SAMPLES_FILE, "x.npy", "y.npy"}
    assert files[SAMPLES_FILE].content_size == f"{(tmp_path / SAMPLES_FILE).stat().st_size} B"
    assert str(files[SAMPLES_FILE].sha256) in card.read_text()
    shapes = {records.id: records.fields[0].array_shape for records in metadata.record_sets}
    assert shapes == {"classes": None, "samples": "6,1,8,8", "labels": "6"}


def test_the_classes_can_be_read_from_croissant(facts: CardFacts, tmp_path: Path) -> None:
    x, y = drawn_records(IMAGES)
    write_npz(tmp_path / SAMPLES_FILE, x, y)
    write_sample_cards(tmp_path, facts)
    rows = list(metadata_of(tmp_path).records("classes"))
    assert [(row["classes/number"], row["classes/name"]) for row in rows] == [(0, "cat | dog"), (1, "`b`")]


def test_pictures_in_a_folder_are_loaded_by_croissant_with_their_classes(facts: CardFacts, tmp_path: Path) -> None:
    x, y = drawn_records(IMAGES)
    write_png_folder(tmp_path / "p", x, y, ("cat", "dog"))
    pets = dataclasses.replace(facts, spec=dataclasses.replace(IMAGES, class_names=("cat", "dog")))
    write_cards(tmp_path / "p", pets, 6)
    rows = list(metadata_of(tmp_path / "p").records("samples"))
    assert sorted(row["samples/class"] for row in rows) == [b"cat"] * 3 + [b"dog"] * 3
    found = {(np.asarray(row["samples/image"].convert("L")).tobytes(), row["samples/class"]) for row in rows}
    pixels = np.rint(x[:, 0] * 255).astype(np.uint8)
    assert found == {(one.tobytes(), (b"cat", b"dog")[label]) for one, label in zip(pixels, y, strict=True)}


def test_the_cards_of_series_say_so(facts: CardFacts, tmp_path: Path) -> None:
    facts = dataclasses.replace(facts, spec=SERIES)
    x, y = drawn_records(SERIES)
    write_series_npz(tmp_path / SAMPLES_FILE, x, y, SERIES)
    card, _ = write_sample_cards(tmp_path, facts)
    assert "time series of 20 samples at 10 Hz in 2 channels in 2 classes (`N`, `S`)" in card.read_text()
    (samples,) = (records for records in metadata_of(tmp_path).metadata.record_sets if records.id == "samples")
    assert samples.fields[0].array_shape == "6,2,20"
    write_wfdb(tmp_path / "beats.wfdb", x, y, SERIES)
    write_cards(tmp_path / "beats.wfdb", facts, 6, recording_files(tmp_path / "beats.wfdb"))
    files = [file.id for file in metadata_of(tmp_path / "beats.wfdb").metadata.distribution]
    assert files == ["synthetic.atr", "synthetic.dat", "synthetic.hea"]


def test_croissant_lacks_only_what_its_publisher_knows(
    facts: CardFacts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / CROISSANT).write_text(croissant(facts, 6, ()))
    metadata = metadata_of(tmp_path).metadata
    assert not metadata.ctx.issues.errors
    lacking = {
        found for issue in metadata.ctx.issues.warnings for found in re.findall(r'schema.org/(\w+)"', str(issue))
    }
    assert lacking <= {"datePublished", "version", "url", "creator", "publisher"}
    broken = json.loads((tmp_path / CROISSANT).read_text())
    broken["recordSet"][1]["field"][0]["source"]["fileSet"]["@id"] = "elsewhere"
    (tmp_path / CROISSANT).write_text(json.dumps(broken))
    with pytest.raises(mlcroissant.ValidationError, match="elsewhere"):
        metadata_of(tmp_path)


def test_samples_of_which_no_card_can_be_written_are_refused_in_one_line(facts: CardFacts, tmp_path: Path) -> None:
    for content in (None, b"", b"PK\x03\x04nothing"):
        if content is not None:
            (tmp_path / SAMPLES_FILE).write_bytes(content)
        with pytest.raises(InputError) as caught:
            sample_cards(tmp_path, [facts])
        assert str(caught.value).startswith(str(tmp_path / SAMPLES_FILE))


# ---- folders of pictures, as other programs load them --------------------------------------------------------------

HARD_NAMES = [
    ("rest", "stress test"),
    ("normal", "validation failed"),
    ("train", "test"),
    ("sinus",),
    ("001", "NA"),
    ("1", "1.0", "nan", "T-shirt/top"),
]


@pytest.mark.parametrize("names", HARD_NAMES, ids=str)
def test_the_head_of_a_folder_of_pictures_says_one_split_and_all_folders(
    facts: CardFacts, names: tuple[str, ...]
) -> None:
    facts = dataclasses.replace(facts, spec=dataclasses.replace(IMAGES, class_names=names))
    card = data_card(facts, 6, ())
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "*/*.png"}], "drop_labels": False}
    ]
    assert 'datasets.load_dataset("path/to/this/folder")["train"]' in card
    assert DatasetCard(card).data.to_dict()["configs"] == head["configs"]
    assert without_license(card.replace("license: other", "license: mit").encode()) == card.encode()


def test_pictures_without_classes_have_no_labels_and_files_no_such_head(facts: CardFacts) -> None:
    plain = dataclasses.replace(facts, spec=dataclasses.replace(IMAGES, class_names=()))
    [config] = yaml.safe_load(data_card(plain, 6, ()).split("---\n")[1])["configs"]
    assert config["data_files"] == [{"split": "train", "path": "*.png"}]
    assert config["drop_labels"] is True
    table = DrawnFile(name="metadata.csv", what="names", sha256="0", num_bytes=1)
    for file in (table, dataclasses.replace(table, name="samples.npz")):
        assert "configs:" not in data_card(facts, 6, [file])
    assert "dtype=str, keep_default_na=False" in data_card(facts, 6, [table])


@pytest.mark.parametrize("names", HARD_NAMES, ids=str)
def test_croissant_hands_over_every_class_by_its_name(facts: CardFacts, tmp_path: Path, names: tuple[str, ...]) -> None:
    x, _ = drawn_records(IMAGES)
    y = np.arange(6) % len(names)
    facts = dataclasses.replace(facts, spec=dataclasses.replace(IMAGES, class_names=names))
    write_png_folder(tmp_path / "p", x, y, names)
    write_cards(tmp_path / "p", facts, 6)
    found = metadata_of(tmp_path / "p")
    classes = [row["classes/name"] for row in found.records("classes")]
    assert [name.decode() if isinstance(name, bytes) else name for name in classes] == list(names)
    drawn = {row["samples/class"].decode() for row in found.records("samples")}
    assert drawn == {folder_name(name) for name in names}


# The library leaves a table open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("names", [*HARD_NAMES[:4], ("001", "NA")], ids=str)
def test_a_folder_of_pictures_is_loaded_whole_by_the_library_it_is_for(
    facts: CardFacts, tmp_path: Path, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    x, _ = drawn_records(IMAGES)
    facts = dataclasses.replace(facts, spec=dataclasses.replace(IMAGES, class_names=names))
    write_png_folder(tmp_path / "p", x, np.arange(6) % len(names), names)

    def loaded() -> Any:
        cache = tmp_path / f"cache-{len(list(tmp_path.iterdir()))}"
        found = datasets.load_dataset(str(tmp_path / "p"), cache_dir=str(cache))
        gc.collect()
        return found

    # Without the head, as it was: rows or labels are missing.
    if names != ("001", "NA"):
        before = loaded()
        assert not (list(before) == ["train"] and len(before["train"]) == 6 and "label" in before["train"].features)
    write_cards(tmp_path / "p", facts, 6)
    found = loaded()
    assert list(found) == ["train"]
    assert found["train"].num_rows == 6
    assert found["train"].features["label"].names == sorted(names)
