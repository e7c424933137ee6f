"""Words of the published GS-WGAN and of the study of time series, and the command that stands in their place here.

`gossamer help WORD` answers with these, and the page docs/coming-from.md has all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PAGE: Final = "docs/coming-from.md"


@dataclass(frozen=True)
class OldWord:
    """An old word's counterpart.

    Attributes:
        here: a sentence on how the work is done here.
        command: that does it.
    """

    here: str
    command: str


_TRAIN: Final = "gossamer train gs-wgan --data mnist --epsilon 10 --out runs/mnist"
_SCORE: Final = "gossamer evaluate gen_data.npz --data mnist --quick"
_PART: Final = OldWord("Critics warm up within the training, chunk by chunk, and a chunk that is done is kept.", _TRAIN)
_PICKLED: Final = OldWord(
    "A pickled file can run code, so it is never opened. Draw samples with the program that made it, and hand over the "
    "NPZ.",
    _SCORE,
)

OLD_WORDS: Final[Mapping[str, OldWord]] = {
    "pretrain.sh": _PART,
    "pretrain.py": _PART,
    "meta_start": OldWord(
        "A range of critics is warmed up on a node of its own, and resume takes it up. Processes on one machine share "
        "the ranges out among themselves (torchrun).",
        "gossamer pretrain runs/mnist --critics 0..99",
    ),
    "main.py": OldWord("Training is one command, within a budget.", _TRAIN),
    "-name": OldWord("The run folder has the name.", _TRAIN),
    "-ldir": OldWord(
        "No folder of warm critics is loaded: they lie in the run, and resume takes them up.",
        "gossamer resume runs/mnist",
    ),
    "-noise": OldWord(
        "The noise follows from the budget. To fix it, give it in place of --epsilon.",
        "gossamer train gs-wgan --data mnist --noise-multiplier 1.07 --out runs/mnist",
    ),
    "-ndis": OldWord("Critics are counted by --num-critics.", "gossamer train gs-wgan --help"),
    "-gen": OldWord(
        "The generator's network is one word.", "gossamer train gs-wgan --data mnist --generator dcgan --out runs/mnist"
    ),
    "privacy_analysis.py": OldWord("The price of settings, without any data.", "gossamer account gs-wgan --epsilon 10"),
    "eval_sklearn.py": OldWord("All classifiers are scores of one command, with intervals.", _SCORE),
    "eval_cnn.py": OldWord("All classifiers are scores of one command, with intervals.", _SCORE),
    "eval_mnist_inception_score.py": OldWord("It is one of the scores.", _SCORE),
    "train_mnist_inception_score.py": OldWord(
        "The classifier for scores is trained once, and kept.", "gossamer encoder train --data mnist"
    ),
    "eval_fid.py": OldWord("The Frechet distance is one of the scores.", _SCORE),
    "evaluator.py": OldWord("One command has all scores of images and series, with intervals.", _SCORE),
    "--generator_dir": OldWord(
        "Name the run folder or the release.", "gossamer evaluate runs/mnist --data mnist --quick"
    ),
    "--gen_data_size": OldWord("The number of samples is --num-samples.", _SCORE + " --num-samples 10000"),
    "--num_batches": OldWord(
        "Repetitions are --num-seeds, and every score has an interval.", _SCORE + " --num-seeds 5"
    ),
    "mlp_for_inception.py": OldWord(
        "The classifier for scores is trained once, and kept.", "gossamer encoder train --data mnist"
    ),
    "gen_data.npz": OldWord("Samples of the published program are scored as they are.", _SCORE),
    "netg.pth": _PICKLED,
    "params.pkl": _PICKLED,
    "docker-compose": OldWord(
        "A file for containers without a network is in the repository.",
        "docker compose run --rm train gs-wgan --data digits --out runs/first",
    ),
    "kaggle.json": OldWord(
        "No key and no account: PhysioNet's recordings are public, and Kaggle's tables are read if they are there.",
        "gossamer data list",
    ),
}
"""By the old word in small letters."""


def explain(word: str) -> str | None:
    """Return the answer to an old word, None if it is not known here.

    Args:
        word: as somebody types it: a file with or without its folder, or an option.
    """
    known = word.lower().rpartition("/")[2]
    found = OLD_WORDS.get(known)
    if found is None:
        near = difflib.get_close_matches(known, OLD_WORDS, n=1, cutoff=0.8)
        if not near:
            return None
        known, found = near[0], OLD_WORDS[near[0]]
    return f"{known}: {found.here}\n\n  {found.command}\n\nAll old words, with the new ones: {PAGE}"
