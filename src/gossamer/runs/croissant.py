"""Drawn records for programs: Croissant metadata (MLCommons, version 1.1), as JSON-LD."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gossamer.data.folder_names import folder_name, has_other_folders
from gossamer.data.images import ImageSpec
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.cards import CardFacts, DrawnFile

CROISSANT: Final = "croissant.json"
_NPY = "https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html"
_FORMATS: Final = {".npz": "application/zip", ".hea": "text/plain"}
_PLAIN_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format",
    "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
    "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
_CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "sc": "https://schema.org/",
} | {term: f"cr:{term}" for term in _PLAIN_TERMS}


def croissant(facts: CardFacts, num_samples: int, files: Sequence[DrawnFile]) -> str:
    """Return the content of `croissant.json`. It is written from the facts of the data card, and from nothing else.

    Args:
        facts: of the generator.
        num_samples: number of records drawn.
        files: files that hold them, empty for a folder of PNG files.

    References:
        Akhtar and others, "Croissant: a metadata format for ML-ready datasets", 2024, http://mlcommons.org/croissant/1.1
    """
    statement = facts.statement
    claim = f"epsilon {shown_epsilon(statement.epsilon)}, delta {statement.delta:g}, for {statement.unit.protected}"
    tree = {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "name": f"synthetic-{facts.kind.replace(' ', '-')}",
        "description": f"{num_samples:,} synthetic {facts.kind}, drawn from a generator that {facts.method} trained "
        f"under differential privacy ({claim}). README.md beside this file has the statement in words.",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "citeAs": "The Gossamer contributors: Gossamer, synthetic records from private ones, with a privacy guarantee "
        "that is true.",
        "license": "named in the second line of README.md beside this file",
        "rai:personalSensitiveInformation": "Differential privacy bounds what these samples can tell about "
        f"{statement.unit.protected}: {claim}. What is not covered: {'; '.join(statement.not_covered) or 'nothing'}.",
        "rai:dataLimitations": "Rare things are lost in the noise; findings need a check on real data.",
        "distribution": _distribution(facts, files),
        "recordSet": [*_classes(facts), *_samples(facts, num_samples, files)],
    }
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _distribution(facts: CardFacts, files: Sequence[DrawnFile]) -> list[dict[str, Any]]:
    if not files:
        pattern = "*/*.png" if facts.spec.class_names else "*.png"
        return [{"@type": "cr:FileSet", "@id": "pictures", "encodingFormat": "image/png", "includes": pattern}]
    found = [_file(file) for file in files]
    if files[0].name.endswith(".npz"):
        names = ("x", "y") if facts.spec.class_names else ("x",)
        found += [_member(files[0].name, name) for name in names]
    return found


def _file(file: DrawnFile) -> dict[str, Any]:
    ending = file.name[file.name.rfind(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "description": file.what,
        "contentUrl": file.name,
        "contentSize": f"{file.num_bytes} B",
        "encodingFormat": _FORMATS.get(ending, "application/octet-stream"),
        "sha256": file.sha256,
    }


def _member(archive: str, name: str) -> dict[str, Any]:
    file = {"@type": "cr:FileObject"} | dict.fromkeys(("@id", "name", "contentUrl"), f"{name}.npy")
    return file | {"cr:containedIn": {"@id": archive}, "encodingFormat": _NPY}


def _classes(facts: CardFacts) -> list[dict[str, Any]]:
    names = facts.spec.class_names
    if not names:
        return []
    fields = [_field("classes/number", "sc:Integer"), _field("classes/name", "sc:Text")]
    rows = [{"classes/number": number, "classes/name": name} for number, name in enumerate(names)]
    if has_other_folders(names):
        fields.append(_field("classes/folder", "sc:Text"))
        rows = [row | {"classes/folder": folder_name(name)} for row, name in zip(rows, names, strict=True)]
    kind = {"dataType": "sc:Enumeration", "key": {"@id": "classes/name"}}
    return [{"@type": "cr:RecordSet", "@id": "classes"} | kind | {"field": fields, "data": rows}]


def _samples(facts: CardFacts, num_samples: int, files: Sequence[DrawnFile]) -> list[dict[str, Any]]:
    if not files:
        return [_record_set("samples", _picture_fields(facts))]
    if not files[0].name.endswith(".npz"):
        return []
    x, y = _array_fields(facts, num_samples)
    labelled = [_record_set("labels", [y])] if facts.spec.class_names else []
    return [_record_set("samples", [x]), *labelled]


def _record_set(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "field": fields}


def _array_fields(facts: CardFacts, num_samples: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe all samples as one array, and all labels: one record set each, since nothing joins two arrays."""
    shape, what = facts.spec.shape, "channels, height, width" if isinstance(facts.spec, ImageSpec) else "channels, time"
    content = {"extract": {"fileProperty": "content"}}
    x = _field("samples/x", "cr:Float32") | {
        "description": f"samples, {what}",
        "cr:isArray": True,
        "cr:arrayShape": ",".join(map(str, (num_samples, *shape))),
        "source": {"fileObject": {"@id": "x.npy"}} | content,
    }
    y = _field("labels/y", "sc:Integer") | {
        "description": "numbers of their classes, in the order of the samples",
        "cr:isArray": True,
        "cr:arrayShape": str(num_samples),
        "references": {"field": {"@id": "classes/number"}},
        "source": {"fileObject": {"@id": "y.npy"}} | content,
    }
    return x, y


def _picture_fields(facts: CardFacts) -> list[dict[str, Any]]:
    """Describe a picture for each sample. The class of a sample is the name of its folder."""
    named_by = "classes/folder" if has_other_folders(facts.spec.class_names) else "classes/name"
    pictures = {"fileSet": {"@id": "pictures"}}
    image = _field("samples/image", "sc:ImageObject") | {"source": pictures | {"extract": {"fileProperty": "content"}}}
    label = _field("samples/class", "sc:Text") | {
        "references": {"field": {"@id": named_by}},
        "source": pictures
        | {"extract": {"fileProperty": "fullpath"}, "transform": {"regex": r"(?:.*/)?([^/]+)/[^/]+\.png$|([^/]+)$"}},
    }
    return [image, label] if facts.spec.class_names else [image]


def _field(name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind}
