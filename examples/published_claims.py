"""What published systems claim, and what they cost: prints the tables of docs/concepts/published-systems.md."""

from __future__ import annotations

import math
from functools import partial

from gossamer import privacy
from gossamer.privacy.published import published_dp_cgan_epsilon

DELTA = 1e-5
GS_WGAN = {"num_critics": 1000, "noise_multiplier": 1.07, "num_steps": 20_000, "batch_size": 32}
RATE, NOISE, STEPS = 600 / 60_000, 1.12, 30_300
BEATS, PEOPLE = 109_446, 47  # of the MIT-BIH Arrhythmia Database


def gs_wgan() -> dict[str, float]:
    """GS-WGAN: one of 1,000 critics, batches of 32, 20,000 steps, noise multiplier 1.07."""
    each, one = (privacy.one_of_many_event(**GS_WGAN, draws_per_step=draws) for draws in (32, 1))
    known = privacy.gaussian_event(noise_multiplier=GS_WGAN["noise_multiplier"], num_releases=20 * 32)
    return {
        "as published": privacy.published_gs_wgan_epsilon(**GS_WGAN, delta=DELTA),
        "a coin for each answer, by PLD": privacy.epsilon_by_pld(each, DELTA).epsilon,
        "a coin for each answer, by RDP": privacy.epsilon_by_rdp(each, DELTA).epsilon,
        "one coin a batch: noise multiplier": GS_WGAN["noise_multiplier"] / math.sqrt(32),
        "one coin a batch: no accountant can go below": privacy.fixed_pair_epsilon(one, DELTA).epsilon,
        "one coin a batch, by PLD": privacy.epsilon_by_pld(one, DELTA).epsilon,
        "coins known, noise secret, a critic drawn 20 times": privacy.epsilon_by_pld(known, DELTA).epsilon,
    }


def dp_cgan() -> dict[str, float]:
    """DP-CGAN: batches of 600 of 60,000, noise multiplier 1.12, clip norm 1.1, 30,300 steps."""
    by_its_code = partial(published_dp_cgan_epsilon, sample_rate=RATE, num_steps=STEPS, delta=DELTA)
    poisson = privacy.poisson_event(sample_rate=RATE, noise_multiplier=NOISE, num_steps=STEPS)
    dealt = privacy.gaussian_event(noise_multiplier=NOISE, num_releases=round(STEPS * RATE))
    honest = privacy.epsilon_by_pld(poisson, DELTA).epsilon
    return {
        "as its code computes it": by_its_code(noise_multiplier=NOISE, clip_norm=1.1),
        "given the noise multiplier itself": by_its_code(noise_multiplier=NOISE, clip_norm=1.0),
        "and four tensors clipped apart": by_its_code(noise_multiplier=NOISE / 2, clip_norm=1.0),
        "batches dealt out, nothing credited for their order": privacy.epsilon_by_pld(dealt, DELTA).epsilon,
        "Poisson samples, one clip, by PLD": honest,
        "the same for a record replaced: epsilon": 2 * honest,
        "the same for a record replaced: delta": (1 + math.exp(honest)) * DELTA,
    }


def heartbeats() -> dict[str, float]:
    """The study that carried both to heartbeats: epsilon 10 for one beat, delta 1e-4."""
    each = BEATS / PEOPLE
    return {"beats that delta gives up": BEATS * 1e-4, "beats a person": each, "epsilon for a person": 10 * each}


if __name__ == "__main__":
    for system in (gs_wgan, dp_cgan, heartbeats):
        print(f"| {system.__doc__} | |\n|---|---|")
        print("".join(f"| {what} | {value:,.3f} |\n" for what, value in system().items()))
