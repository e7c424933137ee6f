"""Public streams of randomness, one for each purpose and step."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import torch

from gossamer.errors import ResourceError
from gossamer.privacy.keystream import Keystream

RULE: Final = 2
"""Number of the rule by which streams follow from seed, purpose and step. Runs of another rule are not resumed."""

# The state of torch's CPU generator: seed, counters, 624 words of 32 bits in 64 each, and a normal number kept back.
_STATE_BYTES: Final = 5056
_FIRST_WORD: Final = 24
_NUM_WORDS: Final = 624


def public_stream(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """Return a stream of public randomness for one purpose at one step.

    Each step has a stream of its own. So a run that is taken up again needs no state of any stream. No private draw can
    ever shift a public one.

    torch 2.13.0 keeps the low 32 bits of a seed alone, so that of 20,000 seeds two are often alike. Therefore the whole
    state of the generator is filled, by a keystream. Its key is the digest of seed, purpose and step.

    Raises:
        ResourceError: torch keeps the state of a generator in another form than the one known here.

    >>> a, b = public_stream(1, "latents", 3), public_stream(1, "latents", 4)
    >>> bool(torch.rand(1, generator=a) == torch.rand(1, generator=b))
    False
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()
    first = int.from_bytes(digest[:8], "little") >> 1
    generator = torch.Generator().manual_seed(first)
    state = generator.get_state()
    words = state.numpy()[_FIRST_WORD:][: 8 * _NUM_WORDS].view("<u8")
    if state.numel() != _STATE_BYTES or words[0] != first % 2**32:
        raise ResourceError(f"torch {torch.__version__} keeps its generators in another form; install torch 2.13.0")
    blocks = np.arange(_NUM_WORDS // 4, dtype=np.uint64)
    words[:] = Keystream(digest).words(np.uint64(0), blocks).view("<u4").ravel()
    return generator.set_state(state)
