"""Words of a report: numbers as a person reads them, each rounded to the side that promises less."""

from __future__ import annotations

import math

from gossamer.data.images import ImageSpec
from gossamer.methods.catalogue import names_of
from gossamer.methods.trained import Spec
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.statement import PrivacyStatement

_MOST_CLASSES = 12
_SHORT = {"cnn", "gbm", "lda", "mlp", "nb", "svc"}
_SHORT |= {"acf", "auroc", "dtw", "f1", "fid", "mmd", "psd", "trtr", "trts", "tstr"}
_LARGEST_FACTOR = 1e9
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def method_name(statement: PrivacyStatement) -> str:
    """Name the method that trained the generator, as a person calls it.

    The first word of the mechanism is the method's own name. An unknown name is shown as it is.
    """
    return names_of(statement.mechanism.partition(":")[0]).title


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, small numbers in words.

    >>> counted(1, "class"), counted(8, "image"), counted(6000, "critic")
    ('one class', 'eight images', '6,000 critics')
    """
    plural = noun if number == 1 or noun.endswith("series") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{_NUMBERS[number] if number < len(_NUMBERS) else f'{number:,}'} {plural}"


def kind_of(spec: Spec) -> str:
    """Name the kind of records made, in two words."""
    return "images" if isinstance(spec, ImageSpec) else "time series"


def shape_of(spec: Spec) -> str:
    """Describe the size and nature of one record.

    >>> shape_of(ImageSpec(channels=1, height=28, width=28))
    '28 x 28 pixels, grey'
    """
    if isinstance(spec, ImageSpec):
        return f"{spec.height} x {spec.width} pixels, {'grey' if spec.channels == 1 else 'colour'}"
    time = (
        "" if spec.sample_rate is None else f" ({seconds(spec.length / spec.sample_rate)} at {spec.sample_rate:.4g} Hz)"
    )
    return f"{spec.length} samples{time}, {counted(spec.channels, 'channel')}"


def classes_of(spec: Spec) -> str:
    """Write number and names of the classes."""
    names = spec.class_names
    if not names:
        return "none"
    more = f" and {len(names) - _MOST_CLASSES} more" if len(names) > _MOST_CLASSES else ""
    return f"{counted(len(names), 'class')}: {', '.join(names[:_MOST_CLASSES])}{more}"


def axes_of(spec: Spec) -> str:
    """Describe the axes of a panel, beginning with a space, empty for images."""
    if isinstance(spec, ImageSpec):
        return ""
    time = f"{spec.length} samples" if spec.sample_rate is None else seconds((spec.length - 1) / spec.sample_rate)
    bounds = set(zip(spec.low, spec.high, strict=True))
    low, high = next(iter(bounds))
    span = f"{low:g} to {high:g}" if len(bounds) == 1 else "the public range of each channel"
    several = "" if spec.channels == 1 else " Channels, the first four, differ in colour and dash."
    return f" A panel is {time} from left to right, and {span} from bottom to top.{several}"


def seconds(time: float) -> str:
    """Write a time in seconds.

    >>> seconds(0.95), seconds(2820.0)
    ('0.95 s', '2,820 s')
    """
    return f"{time:,.0f} s" if time >= 1000 else f"{time:.3g} s"


def person_or_record(unit: Unit) -> str:
    """Name the protected person, recording or record, as the subject of a sentence."""
    return unit.value


def learnt_from(statement: PrivacyStatement) -> str:
    """Write the public number of slots, in the unit of protection."""
    return f"{statement.num_slots:,} {statement.unit.plural}"


def change_in_words(statement: PrivacyStatement) -> str:
    """Describe the difference between two data sets that nobody shall be able to tell apart."""
    who = f"{statement.unit.protected} {'are' if statement.unit.is_group else 'is'}"
    match statement.adjacency:
        case Adjacency.SLOT:
            return f"{who} taken out, put in, or replaced by anything else"
        case Adjacency.ADD_OR_REMOVE_ONE:
            return f"{who} taken out or put in"
        case Adjacency.REPLACE_ONE:
            return f"{who} replaced by {'those of another' if statement.unit.is_group else 'another'}"


def changed_in_a_word(adjacency: Adjacency) -> str:
    """Name the change that the guarantee covers, as in "added or removed"."""
    match adjacency:
        case Adjacency.SLOT:
            return "added, removed or replaced"
        case Adjacency.ADD_OR_REMOVE_ONE:
            return "added or removed"
        case Adjacency.REPLACE_ONE:
            return "replaced by any other"


def factor(epsilon: float) -> str:
    """Write e to the epsilon, rounded up to three digits.

    >>> factor(1.0), factor(9.9998), factor(40)
    ('2.72', '22,100', 'more than a thousand million')
    """
    if epsilon > math.log(_LARGEST_FACTOR):
        return "more than a thousand million"
    value = math.exp(epsilon)
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    up = math.ceil(value / unit - 1e-9) * unit
    return f"{up:.2f}" if up < 10 else f"{up:.1f}" if up < 100 else f"{up:,.0f}"


def chance(delta: float) -> str:
    """Write a small probability as one in so many, rounded to the side that is more probable.

    >>> chance(1e-5), chance(0.001), chance(3e-7)
    ('1 in 100,000', '1 in 1,000', '1 in 3,330,000')
    """
    number = 1.0 / delta * (1 + 1e-9)
    unit = 10 ** max(0, math.floor(math.log10(number)) - 2)
    return f"1 in {math.floor(number / unit) * unit:,}"


def percent(share: float) -> str:
    """Write a share in percent, rounded up.

    >>> percent(0.29817), percent(0.0024), percent(0.001), percent(1.0)
    ('29.9 %', '0.24 %', '0.1 %', '100 %')
    """
    decimals = 2 if share < 0.01 - 1e-9 else 1
    up = min(100.0, math.ceil(share * 100 * 10**decimals - 1e-6) / 10**decimals)
    return f"{up:.{decimals}f}".rstrip("0").rstrip(".") + " %"


def number(value: float) -> str:
    """Write a score with as many decimals as its size asks for."""
    return f"{value:.{3 if abs(value) < 2 else 2 if abs(value) < 20 else 1}f}"


def value(entry: str | int | float) -> str:
    """Write a parameter of a statement.

    >>> value(6000), value(1e-5), value("as it is")
    ('6,000', '1e-5', 'as it is')
    """
    if isinstance(entry, float):
        mantissa, _, exponent = f"{entry:.6g}".partition("e")
        return f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return f"{entry:,}" if isinstance(entry, int) else entry


def score_title(name: str) -> str:
    """Name a score as a person calls it.

    >>> score_title("tstr_macro_f1"), score_title("cnn_accuracy")
    ('TSTR macro F1', 'CNN accuracy')
    """
    words = [word.upper() if word in _SHORT else word for word in name.split("_")]
    return " ".join([words[0] if words[0].isupper() else words[0].capitalize(), *words[1:]])


def title_of(name: str) -> str:
    """Write a name in code as words.

    >>> title_of("draws_per_step")
    'draws per step'
    """
    return name.replace("_", " ")
