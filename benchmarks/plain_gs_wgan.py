"""A step of GS-WGAN as the paper describes it: separate modules in a plain loop. Nothing of it is private.

Chen, Orekondy, Fritz 2020, appendix: the networks "ResNet" and "DCGAN" for 28x28, a critic of three convolutions, five
updates of one critic a step on fresh samples, then one of the generator. Written here from the paper, for its speed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

CLASSES, LATENT, BATCH, CRITIC_UPDATES = 10, 10, 32, 5


def pixel_norm(x: Tensor) -> Tensor:
    """Divide each pixel's features by their root mean square."""
    return x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()


class PlainBlock(nn.Module):
    """A residual block that doubles the sides."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(width, width, 3, padding=1))
        self.second = spectral_norm(nn.Conv2d(width, width, 3, padding=1))
        self.shortcut = spectral_norm(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, h, w) to (batch, width, 2h, 2w)."""
        main = self.first(F.interpolate(pixel_norm(x), scale_factor=2))
        main = self.second(F.relu(pixel_norm(main)))
        return main + self.shortcut(F.interpolate(x, scale_factor=2))


class PlainResNet(nn.Module):
    """The generator "ResNet": 4x4, three blocks of 256 channels, an image of 32x32 cut to 28x28."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.width = width
        self.dense = spectral_norm(nn.Linear(LATENT + CLASSES, 16 * width))
        self.blocks = nn.Sequential(*(PlainBlock(width) for _ in range(3)))
        self.image = spectral_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        """Draw images (batch, 1, 28, 28)."""
        x = pixel_norm(F.relu(self.dense(z).view(-1, self.width, 4, 4)))
        return torch.sigmoid(self.image(self.blocks(x))[..., :28, :28])


class PlainDCGAN(nn.Module):
    """The generator "DCGAN": grids 4, 7, 11, 28, kernels 5, 5, 8, channels 256, 128, 64, 1."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.width = width
        self.dense = nn.Linear(LATENT + CLASSES, 64 * width)
        self.first = nn.ConvTranspose2d(4 * width, 2 * width, 5)
        self.second = nn.ConvTranspose2d(2 * width, width, 5)
        self.last = nn.ConvTranspose2d(width, 1, 8, stride=2)

    def forward(self, z: Tensor) -> Tensor:
        """Draw images (batch, 1, 28, 28)."""
        x = pixel_norm(F.relu(self.dense(z).view(-1, 4 * self.width, 4, 4)))
        x = pixel_norm(F.relu(self.first(x)[..., :7, :7]))
        return torch.sigmoid(self.last(pixel_norm(F.relu(self.second(x)))))


class PlainCritic(nn.Module):
    """The critic: three convolutions of kernel 5 and stride 2, a dense layer, a projection on the class."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        depths = (1, width, 2 * width, 4 * width)
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 5, stride=2, padding=2))
            for before, after in itertools.pairwise(depths)
        )
        self.dense = spectral_norm(nn.Linear(16 * depths[-1], 1))
        self.embedding = spectral_norm(nn.Embedding(CLASSES, 16 * depths[-1]))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Score images, (batch,)."""
        for conv in self.convs:
            x = F.relu(conv(x))
        x = x.flatten(start_dim=1)
        return self.dense(x).squeeze(1) + (self.embedding(labels) * x).sum(dim=1)


@dataclass
class PlainLoop:
    """One generator and one critic, trained step by step on random images."""

    generator: nn.Module
    critic: PlainCritic = field(default_factory=PlainCritic)

    def __post_init__(self) -> None:
        self.real = torch.rand(1000, 1, 28, 28)
        self.of_critic = torch.optim.Adam(self.critic.parameters(), lr=1e-4, betas=(0.5, 0.9))
        self.of_generator = torch.optim.Adam(self.generator.parameters(), lr=1e-4, betas=(0.5, 0.9))

    def step(self) -> None:
        """Update the critic five times, and the generator once by the critic's clipped and noised gradients."""
        for _ in range(CRITIC_UPDATES):
            with torch.no_grad():
                synthetic, labels = self.drawn()
            self.update_critic(self.real[torch.randint(len(self.real), (BATCH,))], synthetic, labels)
        synthetic, labels = self.drawn()
        points = synthetic.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(points, labels).sum(), points)
        norm = slope.flatten(start_dim=1).norm(dim=1).clamp_min(1.0)[:, None, None, None]
        self.of_generator.zero_grad()
        synthetic.backward(-(slope / norm + torch.randn_like(slope)) / BATCH)
        self.of_generator.step()

    def drawn(self) -> tuple[Tensor, Tensor]:
        """Draw images and their classes."""
        labels = torch.randint(CLASSES, (BATCH,))
        latent = torch.bernoulli(torch.full((BATCH, LATENT), 0.5))
        return self.generator(torch.cat([latent, F.one_hot(labels, CLASSES).float()], dim=1)), labels

    def update_critic(self, real: Tensor, synthetic: Tensor, labels: Tensor) -> None:
        """Take one step of the Wasserstein loss with gradient penalty and drift."""
        real_score, synthetic_score = self.critic(real, labels), self.critic(synthetic, labels)
        between = torch.lerp(synthetic, real, torch.rand(BATCH, 1, 1, 1)).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between, labels).sum(), between, create_graph=True)
        penalty = (slope.flatten(start_dim=1).norm(dim=1) - 1).square().mean()
        loss = synthetic_score.mean() - real_score.mean() + 0.001 * real_score.square().mean() + 10 * penalty
        self.of_critic.zero_grad()
        loss.backward()
        self.of_critic.step()
