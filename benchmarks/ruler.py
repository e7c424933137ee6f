"""Measure the code and the words of Python packages, so that houses can stand beside each other.

    python benchmarks/ruler.py [--layers pyproject.toml] FOLDER ...
    python benchmarks/ruler.py --counts [FOLDER] > tests/docs/words.json

Each FOLDER is a package. Nothing of it is imported: files are read and parsed, with the standard library alone. The
first form prints a Markdown table with a column for each package, then the lines of each package in the first. The
second prints how many sentences of each package in FOLDER (`src/gossamer` if none is given) break a rule of the house
for words. `--layers` names a file with the layers of import-linter, and imports of the first package are held to them.

Tests that a package carries (`tests/`, `test_*.py`, `*_test.py`, `conftest.py`) are left out. The measures:

- Lines of code: all lines of the files, blank ones, comments and docstrings included.
- Lines of a function: from its first decorator to its last line, without the docstring.
- Typed: every parameter but self and cls has an annotation, and the return as well (`__init__` needs none).
- Documented: a docstring on a public function or method. Stubs of overloads and setters are left out.
- Sentences: all that docstrings say, those of attributes included. Doctests, code, formulas, headings, tables, and the
  names and types of parameters are left out. A sentence ends at a full stop, a list item or a paragraph.
- Sentences of prose: the same without the entries below Args, Returns, Raises and their like.
- Words of a sentence: runs of letters and digits. A piece of code or a formula within a sentence is one word.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import re
import statistics
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONG_FUNCTION = 30
LONG_SENTENCE = 25
UPSIDE_DOWN = re.compile(r"\b(what|whose|whoever)\b", re.IGNORECASE)
FIRST_WORDS = re.compile(r"(What|Those|That|Whether|How|Which)\b")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ENTRIES = re.compile(r"(args|arguments|parameters|params|returns?|yields?|raises|warns|attributes)$")
OTHER_HEADINGS = re.compile(r"(references?|notes?|examples?|shapes?|todo)$")
_HEADING = re.compile(r"^\s*(?:\*\*)?(\w+)(?: \w+)?:?(?:\*\*)?:?\s*$")
_UNDERLINE = re.compile(r"^\s*([-=~^]{3,}|[|+][-|+= :]+[|+])\s*$")
_PARAMETER = re.compile(r"^\s*\*{0,2}`{0,2}[A-Za-z_][\w.]*`{0,2}(?:, \*{0,2}\w+)*(?: ?\([^)]*\))?:(?:\s+|$)")
_FIELD = re.compile(r"^\s*:(?:param|type|returns?|rtype|raises?|arg|ivar)\b[^:]*:\s*")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+")
_CODE = re.compile(r"``.+?``|:\w+:`[^`]+`|`[^`]+`_{0,2}|\$[^$]+\$|\\\(.+?\\\)", re.DOTALL)
_LINK = re.compile(r"https?://\S+")
_SHORT = re.compile(r"\b(e\.g|i\.e|cf|et al|etc|vs|resp|Sec|Thm|Eq|Fig|Alg|Prop|Def|Cor|Lem|pp?)\.")
_END = re.compile(r"(?<=[.!?])[\"')\]*]*\s+(?=[\"'(\[*`]*[A-Z0-9_])")


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function or method as it is written."""

    lines: int
    is_typed: bool
    is_public: bool
    is_documented: bool


@dataclass(frozen=True, kw_only=True)
class Module:
    """The measured parts of one file."""

    place: str  # of the package below the root, or the name of a file beside them
    lines: int
    functions: tuple[Function, ...]
    constructors: tuple[int, ...]  # parameters of each written `__init__`
    summaries: tuple[str, ...]
    sentences: tuple[str, ...]
    prose: tuple[str, ...]  # the sentences outside Args, Returns, Raises
    imports: tuple[str, ...]  # top packages of the same house


def read_package(folder: Path) -> list[Module]:
    """Return the measured modules of a package, tests left out."""
    files = sorted(file for file in folder.rglob("*.py") if not _is_test(file.relative_to(folder)))
    return [read_module(file, folder) for file in files]


def _is_test(path: Path) -> bool:
    name = path.name
    is_named_so = name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
    return is_named_so or bool({"tests", "testing", "test"} & set(path.parts[:-1]))


def read_module(file: Path, folder: Path) -> Module:
    """Return the measured parts of one file of a package."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    sentences = [list(split_sentences(docstring)) for docstring in find_docstrings(tree)]
    return Module(
        place=(file.relative_to(folder).parts[0]).removesuffix(".py"),
        lines=len(text.splitlines()),
        functions=tuple(find_functions(tree)),
        constructors=tuple(_num_parameters(node) for node in _walk_functions(tree) if node.name == "__init__"),
        summaries=tuple(of_one[0].text for of_one in sentences if of_one),
        sentences=tuple(one.text for of_one in sentences for one in of_one),
        prose=tuple(one.text for of_one in sentences for one in of_one if one.is_prose),
        imports=tuple(find_imports(tree, file.relative_to(folder.parent))),
    )


# Functions


def _walk_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))


def _num_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return len(_parameters(node)) - 1


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    found = node.args
    stars = [star for star in (found.vararg, found.kwarg) if star is not None]
    return [*found.posonlyargs, *found.args, *found.kwonlyargs, *stars]


def find_functions(tree: ast.AST, *, is_public: bool = True) -> Iterator[Function]:
    """Yield every function of a tree with its size, methods and nested ones included."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, FUNCTIONS):
            is_seen = is_public and not node.name.startswith("_") and not _is_stub(node)
            yield Function(
                lines=_lines_of(node),
                is_typed=_is_typed(node),
                is_public=is_seen,
                is_documented=ast.get_docstring(node) is not None,
            )
            yield from find_functions(node, is_public=False)
        elif isinstance(node, ast.ClassDef):
            yield from find_functions(node, is_public=is_public and not node.name.startswith("_"))
        else:
            yield from find_functions(node, is_public=is_public)


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return bool(names & {"overload", "setter", "deleter", "override"})


def _lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return _last_line(node) - first + 1 - (0 if ast.get_docstring(node) is None else _height(node.body[0]))


def _height(node: ast.stmt) -> int:
    return _last_line(node) - node.lineno + 1


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _is_typed(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    bare = [one for one in _parameters(node) if one.annotation is None and one.arg not in ("self", "cls")]
    return not bare and (node.returns is not None or node.name == "__init__")


# Imports


def find_imports(tree: ast.AST, path: Path) -> Iterator[str]:
    """Yield the top packages of the same house that a file imports; `path` begins with the house's name."""
    house, here = path.parts[0], path.with_suffix("").parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = list(here[: len(here) - node.level]) if node.level else []
            stem = [*above, *(node.module or "").split(".")]
            names = [[part for part in (*stem, alias.name) if part] for alias in node.names]
        else:
            continue
        yield from (name[1] for name in names if name[0] == house and len(name) > 1)


def read_layers(file: Path) -> list[set[str]]:
    """Return the layers that import-linter holds in a `pyproject.toml`, the highest first."""
    contracts = tomllib.loads(file.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [{name.strip() for name in re.split(r"[|:]", layer)} for layer in layers]


def count_upward(modules: Sequence[Module], layers: Sequence[set[str]]) -> int:
    """Count the imports from a layer into a higher one, or into a sibling."""
    rank = {name: number for number, layer in enumerate(layers) for name in layer}
    pairs = [(module.place, target) for module in modules for target in module.imports]
    known = [(place, target) for place, target in pairs if place in rank and target in rank and place != target]
    return sum(1 for place, target in known if rank[target] <= rank[place])


# Words


def find_docstrings(tree: ast.Module) -> Iterator[str]:
    """Yield the docstrings of module, classes, functions and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
            if (text := ast.get_docstring(node)) is not None:
                yield text
            if not isinstance(node, FUNCTIONS):
                yield from _attribute_docstrings(node.body)


def _attribute_docstrings(body: Sequence[ast.stmt]) -> Iterator[str]:
    for before, after in itertools.pairwise(body):
        if isinstance(before, (ast.Assign, ast.AnnAssign)) and isinstance(after, ast.Expr):
            value = after.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield "\n".join(line.strip() for line in value.value.strip().splitlines())


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A sentence of a docstring, in which code and formulas are each one word, `X`."""

    text: str
    is_prose: bool


def split_sentences(docstring: str) -> Iterator[Sentence]:
    """Yield the sentences of a docstring, the summary first."""
    for paragraph, is_prose in _paragraphs(docstring):
        plain = _SHORT.sub(lambda match: match[0].replace(".", ""), _LINK.sub("X", _CODE.sub("X", paragraph)))
        sentences = (sentence.strip() for sentence in _END.split(plain) if re.search(r"[a-z]{2}", sentence))
        yield from (Sentence(text=sentence, is_prose=is_prose) for sentence in sentences)


def _paragraphs(docstring: str) -> Iterator[tuple[str, bool]]:
    """Yield each paragraph on one line, and if it is prose; a list item or a parameter's text is one as well."""
    lines = _without_code(docstring).splitlines()
    current, is_prose = "", True
    for line, after in zip(lines, [*lines[1:], ""]):
        heading = _heading_of(line, after)
        starts = _ITEM.match(line) or _FIELD.match(line) or (None if is_prose else _PARAMETER.match(line))
        if heading or starts or not line.strip() or _is_drawing(line):
            if current:
                yield current, is_prose
            current = line[starts.end() :].strip() if starts and not heading else ""
            is_prose = not ENTRIES.match(heading) if heading else is_prose and not _FIELD.match(line)
        else:
            is_prose = is_prose or (not current and bool(line[:1].strip()))
            current = f"{current} {line.strip()}".strip()
    if current:
        yield current, is_prose


def _heading_of(line: str, after: str) -> str:
    """Return the lower-case heading that a line is, and "" if it is none."""
    found = _HEADING.match(line)
    name = found[1].lower() if found is not None else ""
    return name if ENTRIES.match(name) or OTHER_HEADINGS.match(name) or _UNDERLINE.match(after) else ""


def _is_drawing(line: str) -> bool:
    return bool(_UNDERLINE.match(line)) or line.lstrip().startswith(("|", "#", ".. "))


def _without_code(docstring: str) -> str:
    """Remove doctests, fenced blocks, directives with code, and the blocks after `::`."""
    kept: list[str] = []
    skip: Callable[[str], bool] | None = None
    for line in re.sub(r"\$\$.*?\$\$|```.*?```", "", docstring, flags=re.DOTALL).splitlines():
        if skip is not None and skip(line):
            continue
        skip = None
        if line.lstrip().startswith(">>>"):
            skip = _until_blank
        elif re.match(r"^\s*\.\. (code|math|plot|doctest|testcode|figure|image)", line) or line.rstrip().endswith("::"):
            skip = _until_dedent(len(line) - len(line.lstrip()))
            kept.append("" if line.lstrip().startswith("..") else line.replace("::", "."))
        else:
            kept.append(line)
    return "\n".join(kept)


def _until_blank(line: str) -> bool:
    return bool(line.strip())


def _until_dedent(indent: int) -> Callable[[str], bool]:
    return lambda line: not line.strip() or len(line) - len(line.lstrip()) > indent


def num_words(sentence: str) -> int:
    """Count the words of a sentence."""
    return len(re.findall(r"[^\W_][\w'’.-]*", sentence))


def count_words(modules: Sequence[Module]) -> dict[str, int]:
    """Count the sentences that break each rule for words."""
    sentences = [sentence for module in modules for sentence in module.sentences]
    summaries = [summary for module in modules for summary in module.summaries]
    return {
        "what, whose, whoever": sum(1 for one in sentences if UPSIDE_DOWN.search(one)),
        "semicolons": sum(1 for one in sentences if ";" in one),
        "above 25 words": sum(1 for one in sentences if num_words(one) > LONG_SENTENCE),
        "bad first words": sum(1 for one in summaries if FIRST_WORDS.match(one)),
    }


def count_places(folder: Path) -> dict[str, dict[str, int]]:
    """Count the sentences that break each rule, by package below the root."""
    modules = read_package(folder)
    places = sorted({module.place for module in modules})
    return {place: count_words([one for one in modules if one.place == place]) for place in places}


def format_counts(counts: dict[str, dict[str, int]]) -> str:
    """Return counts as JSON, a line for each package."""
    return "{\n" + ",\n".join(f"  {json.dumps(place)}: {json.dumps(found)}" for place, found in counts.items()) + "\n}"


# Tables


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def measure(modules: Sequence[Module], layers: Sequence[set[str]]) -> dict[str, str]:
    """Return the measures of a package, ready to be printed."""
    functions = [function for module in modules for function in module.functions]
    sizes = sorted(function.lines for function in functions) or [0, 0]
    nearly_all = statistics.quantiles(sizes, n=10, method="inclusive")[-1]
    public = [function for function in functions if function.is_public]
    constructors = [size for module in modules for size in module.constructors]
    num_sentences = sum(len(module.sentences) for module in modules)
    num_summaries = sum(len(module.summaries) for module in modules)
    words = count_words(modules)
    prose = [sentence for module in modules for sentence in module.prose]
    return {
        "lines of code": f"{sum(module.lines for module in modules):,}",
        "functions": f"{len(functions):,}",
        "lines of a function, median": f"{statistics.median(sizes):g}",
        "lines of a function, 90th percentile": f"{nearly_all:.0f}",
        f"functions above {LONG_FUNCTION} lines": _share(sum(1 for size in sizes if size > LONG_FUNCTION), len(sizes)),
        "functions typed": _share(sum(1 for one in functions if one.is_typed), len(functions)),
        "public functions documented": _share(sum(1 for one in public if one.is_documented), len(public)),
        "written constructors": f"{len(constructors)}",
        "parameters of the largest constructor": f"{max(constructors, default=0)}",
        "sentences in docstrings": f"{num_sentences:,}",
        "sentences with what, whose, whoever": _share(words["what, whose, whoever"], num_sentences),
        "the same of prose alone": _share(sum(1 for one in prose if UPSIDE_DOWN.search(one)), len(prose)),
        "sentences with a semicolon": _share(words["semicolons"], num_sentences),
        f"sentences above {LONG_SENTENCE} words": _share(words["above 25 words"], num_sentences),
        "summaries beginning with What, Those, That, ...": _share(words["bad first words"], num_summaries),
        "imports upward or sideways": str(count_upward(modules, layers)) if layers else "not held",
    }


def print_table(packages: dict[str, dict[str, str]]) -> None:
    """Print the measures as Markdown, a column for each package."""
    print("| | " + " | ".join(packages) + " |")
    print("|---|" + "---|" * len(packages))
    for name in next(iter(packages.values())):
        print(f"| {name} | " + " | ".join(found[name] for found in packages.values()) + " |")


def print_lines(modules: Sequence[Module]) -> None:
    """Print the lines of each package below the root as Markdown."""
    lines: Counter[str] = Counter()
    for module in modules:
        lines[module.place] += module.lines
    print("\n| package | lines |\n|---|---|")
    for place, number in lines.most_common():
        print(f"| `{place}` | {number:,} |")


def main() -> None:
    """Print the tables, or the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "src" / "gossamer"], metavar="FOLDER")
    parser.add_argument("--layers", type=Path, help="a pyproject.toml with the layers of the first package")
    parser.add_argument("--counts", action="store_true", help="print the counts of tests/docs/words.json")
    options = parser.parse_args()
    if options.counts:
        print(format_counts(count_places(options.folders[0])))
        return
    layers = read_layers(options.layers) if options.layers else []
    packages = {folder.name: read_package(folder) for folder in options.folders}
    first = next(iter(packages))
    print_table({name: measure(found, layers if name == first else []) for name, found in packages.items()})
    print_lines(packages[first])


if __name__ == "__main__":
    main()
