#!/usr/bin/env bash
# mlcroissant 1.1.1 and columns of text in a CSV file.
#
# Behaviour: a column is declared as sc:Text, and its cells are 001, NA and a10. They come back as bytes: 001 as 1, and
# as 1.0 if another cell of the column is empty. NA is a missing value. A field of text is read as numbers first, and
# then turned back into what a number looks like. Codes of classes, of people and of hospitals lose their zeros so.
#
# Output seen:
#   001 and 002: [b'1', b'2']
#   001 and an empty cell: [b'1.0', None]
#   NA and SA: [None, b'SA']
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet mlcroissant==1.1.1 numpy==2.3.5
cd "$place"
cat >"$place/codes.py" <<'PYTHON'
import hashlib
import json
import warnings
from pathlib import Path

import mlcroissant

warnings.simplefilter("ignore")
TERMS = ("column", "extract", "field", "fileObject", "recordSet", "source")


def read_back(*cells):
    content = "number,code\n" + "".join(f"{number},{cell}\n" for number, cell in enumerate(cells))
    Path("codes.csv").write_text(content)
    source = {"fileObject": {"@id": "codes.csv"}, "extract": {"column": "code"}}
    field = {"@type": "cr:Field", "@id": "r/code", "name": "code", "dataType": "sc:Text", "source": source}
    file = {
        "@type": "cr:FileObject", "@id": "codes.csv", "name": "codes.csv", "contentUrl": "codes.csv",
        "encodingFormat": "text/csv", "sha256": hashlib.sha256(content.encode()).hexdigest(),
    }
    context = {"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"}
    context |= {term: f"cr:{term}" for term in TERMS}
    context |= {"dct": "http://purl.org/dc/terms/", "conformsTo": "dct:conformsTo"}
    context |= {"dataType": {"@id": "cr:dataType", "@type": "@vocab"}}
    tree = {
        "@context": context, "@type": "sc:Dataset", "name": "codes", "conformsTo": "http://mlcommons.org/croissant/1.1",
        "distribution": [file], "recordSet": [{"@type": "cr:RecordSet", "@id": "r", "field": [field]}],
    }
    Path("croissant.json").write_text(json.dumps(tree))
    return [row["r/code"] for row in mlcroissant.Dataset(jsonld="croissant.json").records("r")]


print("001 and 002:", read_back("001", "002"))
print("001 and an empty cell:", read_back("001", ""))
print("NA and SA:", read_back("NA", "SA"))
PYTHON
"$place/venv/bin/python" "$place/codes.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
001 and 002: [b'1', b'2']
001 and an empty cell: [b'1.0', None]
NA and SA: [None, b'SA']
SEEN
