"""Model card and data card of a release and of drawn records, in the manner of Hugging Face, written by the machine."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Final

from gossamer.data.catalogue import NamedData
from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.privacy.statement import INSECURE_LINE, PrivacyStatement, shown_epsilon
from gossamer.runs.loading import CLASSES_AS_TEXT, describe_pictures, head_of_pictures

CARD: Final = "README.md"
"""The card's name in a release and in a folder of samples."""
NO_LICENSE: Final = "license: other\n"
"""The license line of a card, until its publisher has chosen a license."""
MAX_CARD_BYTES: Final = 2**20
"""Longest card that is read."""
_MOST_NAMES = 30
_LICENSED = re.compile(
    rb"\A---\nlicense: [\w.+-]{1,60}\n(license_name: [\w .+-]{1,100}\n)?(license_link: [\w:/.#?=&+-]{1,300}\n)?"
)
_HUB_IDS: Final = {"mnist": "ylecun/mnist", "fashion-mnist": "zalando-datasets/fashion_mnist"}
_FIT: Final = (
    "building and testing software, teaching, and trying an analysis out before asking for the real data",
    "training a model that is then measured on real data by somebody who may see them",
)
_UNFIT: Final = (
    "decisions about people, and any use in which a wrong sample harms somebody",
    "rare things: the noise that protects a few records also hides what only a few records share",
    "findings about the world that were not checked on real data",
    "a proof that somebody is not among the records: the guarantee bounds what can be told, and does not make it zero",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardFacts:
    """All facts that cards are written from: facts released already, and the name of a published data set.

    Guarantee: no path, no count and no score of private data is among them, so none can stand in a card.

    Attributes:
        statement: the claim.
        spec: shape and classes of the synthetic records.
        network: kind of the generator.
        num_weights: of the generator.
        source: the published set that was learnt from, None for records of the user's own, which stay unnamed.
        paper: on the method, as it is cited. None if there is none.
        worth: the verdict on the samples, in sentences. Empty if the release carries none.
    """

    statement: PrivacyStatement
    spec: ImageSpec | SeriesSpec
    network: str
    num_weights: int
    source: NamedData | None = None
    paper: str | None = None
    worth: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """The method that trained the generator, as in "gs-wgan"."""
        return self.statement.mechanism.partition(":")[0]

    @property
    def kind(self) -> str:
        """Images or time series."""
        return "images" if isinstance(self.spec, ImageSpec) else "time series"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrawnFile:
    """A file of drawn records.

    Attributes:
        name: within its folder.
        what: a sentence on its content.
        sha256: in hexadecimal.
        num_bytes: its length.
    """

    name: str
    what: str
    sha256: str
    num_bytes: int


def model_card(facts: CardFacts) -> str:
    """Write the card of a released generator: Markdown behind a head of YAML that `huggingface_hub.ModelCard` reads.

    The same facts give the same card, so that a card changed by hand is found.
    """
    sections = (
        _head(_model_head(facts)),
        _opening(facts, f"# A generator of synthetic {facts.kind}"),
        [
            f"This generator makes {_describe_records(facts.spec)}. It was trained by `{facts.method}` on "
            f"{_describe_source(facts.source)}, under differential privacy: it met those records through noise alone.",
            "",
        ],
        _worth(facts),
        _drawing(facts),
        _guarantee(facts.statement),
        _not_covered(facts.statement),
        _uses(),
        _training(facts),
        _license(),
        _citing(facts),
    )
    return _joined(sections)


def data_card(facts: CardFacts, num_samples: int, files: Sequence[DrawnFile]) -> str:
    """Write the card of drawn records: Markdown behind a head of YAML that `huggingface_hub.DatasetCard` reads.

    Args:
        facts: of the generator.
        num_samples: number of records drawn.
        files: files that hold them, empty for a folder of pictures.
    """
    sections = (
        _head(
            _data_head(facts, num_samples, files),
            () if files else head_of_pictures(has_classes=bool(facts.spec.class_names)),
        ),
        _opening(facts, f"# Synthetic {facts.kind}"),
        [
            f"{num_samples:,} synthetic {facts.kind}: {_describe_records(facts.spec)}. Each was drawn from a "
            f"generator that `{facts.method}` trained on {_describe_source(facts.source)}, under differential privacy. "
            "None was taken from those records: what the generator learnt of them went through noise.",
            "",
            "Drawing costs no privacy: further samples from the same generator change nothing in what is promised.",
            "",
        ],
        _worth(facts),
        _files(facts, files),
        _guarantee(facts.statement),
        _not_covered(facts.statement),
        _uses(),
        _license(),
        _citing(facts),
    )
    return _joined(sections)


def without_license(card: bytes) -> bytes:
    """Return a card as it was written, without a license that its publisher filled in. Nothing else is changed.

    >>> without_license(b"---\\nlicense: cc-by-4.0\\ntags:\\n")
    b'---\\nlicense: other\\ntags:\\n'
    """
    return _LICENSED.sub(b"---\n" + NO_LICENSE.encode(), card, count=1)


def _head(fields: Mapping[str, str | bool | Sequence[str]], last: Sequence[str] = ()) -> list[str]:
    """Write YAML of words that need no quotes: our words, never a user's."""
    lines = []
    for name, value in fields.items():
        match value:
            case bool():
                lines.append(f"{name}: {str(value).lower()}")
            case str():
                lines.append(f"{name}: {value}")
            case _:
                lines += [f"{name}:", *(f"- {item}" for item in value)]
    return ["---", NO_LICENSE.rstrip(), *lines, *last, "---", ""]


def _model_head(facts: CardFacts) -> dict[str, str | bool | Sequence[str]]:
    head: dict[str, str | bool | Sequence[str]] = {"library_name": "gossamer"}
    if isinstance(facts.spec, ImageSpec):
        head["pipeline_tag"] = "unconditional-image-generation"
    head["tags"] = ("differential-privacy", "synthetic-data", _tag(facts.method))
    if facts.source is not None and facts.source.name in _HUB_IDS:
        head["datasets"] = (_HUB_IDS[facts.source.name],)
    return head


def _data_head(facts: CardFacts, num_samples: int, files: Sequence[DrawnFile]) -> dict[str, str | bool | Sequence[str]]:
    head: dict[str, str | bool | Sequence[str]] = {"pretty_name": f"Synthetic {facts.kind}"}
    head["tags"] = ("differential-privacy", "synthetic", "gossamer", _tag(facts.method))
    if isinstance(facts.spec, ImageSpec):
        head["task_categories"] = ("image-classification" if facts.spec.class_names else "image-feature-extraction",)
    head["size_categories"] = (_size_category(num_samples),)
    if any(file.name.endswith(".npz") for file in files):
        head["viewer"] = False
    return head


def _tag(method: str) -> str:
    return method if re.fullmatch(r"[a-z][a-z0-9-]{0,40}", method) else "generator"


def _size_category(num_samples: int) -> str:
    """Return the size category of Hugging Face.

    >>> _size_category(999), _size_category(1000)
    ('n<1K', '1K<n<10K')
    """
    if num_samples < 1000:
        return "n<1K"
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
    place = len(str(num_samples)) - 4
    return f"{names[place]}<n<{names[place + 1]}" if place + 1 < len(names) else "n>1T"


def _opening(facts: CardFacts, title: str) -> list[str]:
    warning = [] if facts.statement.is_secure else [f"**{INSECURE_LINE}**", ""]
    return [title, "", *warning]


def _describe_records(spec: ImageSpec | SeriesSpec) -> str:
    if isinstance(spec, ImageSpec):
        what = f"{'grey' if spec.channels == 1 else 'colour'} images of {spec.height} x {spec.width} pixels"
    else:
        channels = "one channel" if spec.channels == 1 else f"{spec.channels} channels"
        rate = "" if spec.sample_rate is None else f" at {spec.sample_rate:g} Hz"
        what = f"time series of {spec.length} samples{rate} in {channels}"
    if not spec.class_names:
        return what
    named = ", ".join(_code(name) for name in spec.class_names[:_MOST_NAMES])
    more = len(spec.class_names) - _MOST_NAMES
    classes = "1 class" if spec.num_classes == 1 else f"{spec.num_classes} classes"
    return f"{what} in {classes} ({named}{f' and {more} more' if more > 0 else ''})"


def _describe_bounds(spec: SeriesSpec) -> str:
    """Write the public bounds of all channels, as far as they are few."""
    bounds = list(zip(spec.low, spec.high, (_unit(unit) for unit in spec.shown_units), strict=True))
    if len(set(bounds)) == 1:
        return f", {bounds[0][0]:g} to {bounds[0][1]:g}{bounds[0][2]}"
    named = zip(spec.shown_channels, bounds, strict=True)
    said = [f"{_code(name)} {low:g} to {high:g}{unit}" for name, (low, high, unit) in named]
    more = f", and {len(said) - _MOST_NAMES} more" if len(said) > _MOST_NAMES else ""
    return f" ({', '.join(said[:_MOST_NAMES])}{more})"


def _unit(unit: str) -> str:
    return f" {_code(unit)}" if unit else ""


def _code(name: str) -> str:
    """Quote a user's word, so that it is no markup."""
    return f"`{name.replace('`', chr(39))}`"


def _describe_source(source: NamedData | None) -> str:
    if source is None:
        return "records that are not named here"
    home = f"<{source.home}>" if source.home.startswith("https://") else source.home
    return f"the published data set `{source.name}`: {source.summary.partition(',')[0]} ({home}, {source.licence})"


def _worth(facts: CardFacts) -> list[str]:
    if not facts.worth:
        return []
    source = "Computed from what was released and the known noise in it: no record and no score has a part in it."
    return _section("What the samples are worth", " ".join(facts.worth), "", source)


def _drawing(facts: CardFacts) -> list[str]:
    shape, units = " x ".join(map(str, facts.spec.shape)), "in [0, 1]"
    if isinstance(facts.spec, SeriesSpec):
        shape, units = f"{shape} (channels x time)", f"in their own units{_describe_bounds(facts.spec)}"
    labels = ", labels the numbers of their classes" if facts.spec.class_names else ", labels None: it has no classes"
    return _section(
        "How to draw from it",
        "```console",
        "$ gossamer sample generator.safetensors --num-samples 1000 --out synthetic.npz",
        "```",
        "",
        "```python",
        "import gossamer",
        "",
        'generator = gossamer.load("generator.safetensors")',
        "records, labels = generator.sample(1000, seed=0)",
        "```",
        "",
        f"Records are float32 {units}, each {shape}{labels}. Draw as many as you like: samples cost no privacy. The "
        "file holds numbers and text, and no code is run when it is read. Synthetic samples that stand beside it, in "
        "`samples/`, have a card of their own.",
    )


def _guarantee(statement: PrivacyStatement) -> list[str]:
    rdp = "not computed" if statement.epsilon_rdp is None else shown_epsilon(statement.epsilon_rdp)
    rows: list[tuple[str, object]] = [
        ("epsilon (upper bound, by privacy loss distributions)", shown_epsilon(statement.epsilon)),
        ("epsilon by RDP (looser)", rdp),
        ("delta", f"{statement.delta:g}"),
        ("protected", statement.unit.protected),
        ("neighbouring data sets", statement.adjacency.value),
        ("slots", statement.num_slots),
        ("tuning runs declared, not included", statement.num_tuning_runs),
    ]
    return _section(
        "The guarantee",
        *statement.describe_claim(),
        *_table(rows),
        "The whole statement, with what is assumed, stands beside the generator: `PRIVACY.md`, and `privacy.json` for "
        "programs. `gossamer verify` computes epsilon again from them.",
    )


def _not_covered(statement: PrivacyStatement) -> list[str]:
    return _section("What is not covered", *_items(statement.not_covered or ("nothing",)))


def _uses() -> list[str]:
    return [*_section("What it is fit for", *_items(_FIT)), *_section("What it is not fit for", *_items(_UNFIT))]


def _training(facts: CardFacts) -> list[str]:
    statement = facts.statement
    rows: list[tuple[str, object]] = [
        ("mechanism", statement.mechanism),
        ("noise multiplier", f"{statement.noise_multiplier:.6g}"),
        ("clip norm", "not used" if statement.clip_norm is None else f"{statement.clip_norm:g}"),
        *((name.replace("_", " "), value) for name, value in statement.parameters),
        ("generator", f"{facts.network}, {facts.num_weights:,} numbers"),
        ("computed with", ", ".join(f"{name} {version}" for name, version in statement.accountants)),
    ]
    notes = ("Taken as public:", "", *_items(statement.public_inputs), "")
    last = "Losses and scores on real data are private and stand in no card."
    return _section("Training, in public numbers", *_table(rows), *notes, last)


def _files(facts: CardFacts, files: Sequence[DrawnFile]) -> list[str]:
    if not files:
        return _section("Files", *describe_pictures(has_classes=bool(facts.spec.class_names)))
    rows = [f"| `{file.name}` | {file.what} | {file.num_bytes:,} | `{file.sha256}` |" for file in files]
    lines = ["| file | what | bytes | SHA-256 |", "|---|---|---|---|", *rows, ""]
    if any(file.name.endswith(".npz") for file in files):
        read = ["import numpy", "", f'drawn = numpy.load("{files[0].name}")', 'x = drawn["x"]']
        read += ['y = drawn["y"]'] if facts.spec.class_names else []
        lines += ["```python", *read, "```", ""]
    if isinstance(facts.spec, SeriesSpec):
        lines += ["Each series stands for itself: those that follow each other have nothing to do with each other.", ""]
    if files[0].name.endswith(".csv"):
        lines += [f"{CLASSES_AS_TEXT} To pandas say `dtype=str, keep_default_na=False`.", ""]
    return _section("Files", *lines, "`croissant.json` says the same to programs.")


def _license() -> list[str]:
    return _section(
        "License",
        "Whoever publishes this chooses the license and names it in the second line of this file, where `other` means "
        "that nobody has yet. `gossamer verify` lets that line be changed, and `license_name` and `license_link` be "
        "put behind it, and nothing else.",
    )


def _citing(facts: CardFacts) -> list[str]:
    paper = [] if facts.paper is None else [f"- the method: {facts.paper}"]
    return _section(
        "How to cite",
        "- the program: The Gossamer contributors: Gossamer, synthetic records from private ones, with a privacy "
        "guarantee that is true.",
        *paper,
        "",
        "Written by Gossamer from the privacy statement.",
    )


def _section(title: str, *lines: str) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _items(sentences: Sequence[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]


def _table(rows: Sequence[tuple[str, object]]) -> list[str]:
    return ["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]


def _joined(sections: Sequence[Sequence[str]]) -> str:
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"
