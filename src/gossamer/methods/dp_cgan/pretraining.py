"""A start of DP-CGAN on public records: the same two losses, without clip and noise."""

from __future__ import annotations

from dataclasses import replace

import torch

from gossamer.data.records import RecordSet
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.dp_cgan.training import PublicNetworks
from gossamer.methods.starting import Networks

_BATCH = 500


def pretrain(config: DPCGANConfig, public: RecordSet, num_steps: int, device: torch.device) -> Networks:
    """Return generator and discriminator that learnt from public records by the method's own losses, without noise.

    Guarantee: none for these records. They must be public.

    Args:
        config: settings of the private training.
        public: records of the same shape and number of classes.
        num_steps: updates of the generator.
        device: to compute on.
    """
    num_updates = num_steps * config.discriminator_steps
    config = replace(config, num_steps=num_updates, moving_average=max(config.moving_average, 0.9))
    networks = PublicNetworks(config, public.spec, device, torch.float32)
    looked = config.view.apply_to_records(public.x).to(device)
    labels = None if public.y is None else public.y.to(device)
    for step in range(num_updates):
        rng = public_stream(config.seed, "public records", step)
        rows = torch.randint(len(looked), (min(_BATCH, config.expected_batch_size),), generator=rng).to(device)
        parameters = networks.parameters()
        asked = (looked[rows],) if labels is None else (looked[rows], labels[rows])
        loss = networks.losses_of_records(parameters, *asked).mean()
        gradient = torch.autograd.grad(loss, list(parameters.values()))
        networks.improve_discriminator(dict(zip(parameters, gradient, strict=True)), step)
        if (step + 1) % config.discriminator_steps == 0:
            networks.improve_generator(step)
    return networks.to_start_from()
