"""Layers of spectral norm one. Their forward pass changes nothing, and the power iteration is a step of its own.

The usual spectral norm runs one power iteration inside every forward pass in training mode, so that a mere query
changes the critic. Here a query changes nothing, and the training loop decides when the iteration advances.
"""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.devices import in_use

_TINY = 1e-12
_INITIAL_ITERATIONS = 15
_FEW_CHANNELS = 3


class _Divided(torch.autograd.Function):
    """Divide a matrix by its estimated norm, with the gradient written out: (G - <G, W / sigma> u v^T) / sigma.

    Autograd would pass over a weight twice as often, and a critic's weights are as large as what it computes on them.
    Its further outputs v and sigma have no gradient.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        row = u @ matrix
        sigma = torch.linalg.vector_norm(row).clamp_min(_TINY)
        return matrix / sigma, row / sigma, sigma

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
        whole, v, sigma = output
        ctx.mark_non_differentiable(v, sigma)
        ctx.save_for_backward(whole, inputs[1], v, sigma)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        whole, u, v, sigma = ctx.saved_tensors
        along = torch.dot(gradient.flatten(), whole.flatten())
        return torch.addcmul(gradient, (u * -along).unsqueeze(1), v).div_(sigma), None


class AbstractSpectralNorm(nn.Module, abc.ABC):
    """A layer with a weight that is divided by an estimate of its largest singular value.

    With W the weight as a matrix (out, rest) and u (out,) the stored left singular vector::

        v = W^T u / |W^T u|,    sigma = u^T W v = |W^T u|,    effective weight = W / sigma

    The vectors u and v carry no gradient. The gradient of sigma runs through W alone, u v^T, which is exact once u has
    converged.

    **Guarantee.** `forward` is a pure function of parameters, buffers and input, in training and evaluation mode
    alike: no query leaves a trace in the layer.

    References:
        Miyato, Kataoka, Koyama, Yoshida 2018, "Spectral normalization for GANs", algorithm 1 (there the iteration is
        part of the forward pass).
    """

    weight: nn.Parameter
    u: Tensor
    _settled: Tensor | None = None

    @abc.abstractmethod
    def as_matrix(self, weight: Tensor) -> Tensor:
        """Return the weight as matrices (..., out, rest). Leading dimensions, if any, count stacked layers."""

    def effective_weight(self) -> Tensor:
        """Return the weight divided by its estimated spectral norm, shaped like the weight."""
        # Privacy: no power iteration here. Answering a query must not change the state that answers the next one.
        # In the weight's own precision: a norm of bfloat16 products would be wrong in its third digit.
        with _without_autocast(self.weight):
            whole, _, _ = _Divided.apply(self.as_matrix(self.weight), self.u.detach())
            return whole.view_as(self.weight)

    def kernel(self) -> Tensor:
        """Return what the input is multiplied by: the effective weight."""
        return self.effective_weight()

    def ready(self) -> Tensor:
        """Return `kernel` in the precision in use, the one that is kept within `settled`."""
        return in_use(self.kernel()) if self._settled is None else self._settled

    def _start(self, weight: Tensor, rng: torch.Generator) -> None:
        nn.init.xavier_uniform_(weight, generator=rng)
        self.weight = nn.Parameter(weight)
        matrix = self.as_matrix(weight)
        u = F.normalize(torch.randn(matrix.shape[0], generator=rng), dim=0)
        for _ in range(_INITIAL_ITERATIONS):
            u = _next_u(matrix, u)
        self.register_buffer("u", u)


class SpectralNormLinear(AbstractSpectralNorm):
    """A dense layer y = (W / sigma(W)) x + b, with x (batch, in_features) and y (batch, out_features).

    The weight starts Xavier-uniform (its scale cancels in the quotient), the bias at zero, u after 15 iterations.

    Args:
        in_features: length of an input.
        out_features: length of an output.
        rng: the stream of initial weights.
    """

    def __init__(self, in_features: int, out_features: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self._start(torch.empty(out_features, in_features), rng)
        self.bias = nn.Parameter(torch.zeros(out_features))

    def as_matrix(self, weight: Tensor) -> Tensor:
        """Return (..., out, in) unchanged."""
        return weight

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, in_features) to (batch, out_features)."""
        return F.linear(x, self.ready(), self.bias)


class AbstractSpectralNormConv(AbstractSpectralNorm):
    """A convolution with kernel W / sigma(W), W flattened to (out_channels, in_channels x kernel).

    The value sigma is the norm of that flattened matrix, as published, and not that of the convolution as an operator.

    Args:
        in_channels: channels of an input.
        out_channels: channels of an output.
        kernel_size: side of the kernel, in pixels or samples.
        stride: pixels or samples between two positions of the kernel.
        padding: zeros added on every side, in pixels or samples.
        rng: the stream of initial weights.
    """

    _num_axes: ClassVar[int]

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, padding: int = 0,
        rng: torch.Generator,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stride = stride
        self.padding = padding
        self._start(torch.empty(out_channels, in_channels, *(kernel_size,) * self._num_axes), rng)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def as_matrix(self, weight: Tensor) -> Tensor:
        """Flatten (..., out, in, *kernel) to (..., out, in x kernel)."""
        return weight.flatten(start_dim=-1 - self._num_axes)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, in_channels, *sides) to (batch, out_channels, *sides')."""
        return self.convolved(x, self.ready())

    @abc.abstractmethod
    def convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        """Compute `forward` with an effective weight that was computed before."""

    @abc.abstractmethod
    def turned_back(self, slope: Tensor, weight: Tensor, sides: tuple[int, ...]) -> Tensor:
        """Map a gradient by the output to the one by the input, (batch, in_channels, *sides).

        Args:
            slope: the gradient by the output, (batch, out_channels, *sides').
            weight: effective, as for `convolved`.
            sides: of the input.
        """

    def _surplus(self, slope: Tensor, weight: Tensor, sides: tuple[int, ...]) -> list[int]:
        """Return the rows at the end of an input that a stride leaves out, for each axis."""
        return [
            side - ((out - 1) * self.stride - 2 * self.padding + kernel)
            for side, out, kernel in zip(sides, slope.shape[2:], weight.shape[2:], strict=True)
        ]


class SpectralNormConv2d(AbstractSpectralNormConv):
    """A convolution of images with a square kernel."""

    _num_axes = 2

    def convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        """Map x (batch, in_channels, height, width) to (batch, out_channels, height', width')."""
        if self.stride == 1 and weight.shape[0] <= _FEW_CHANNELS:
            return self._to_few(x, weight, self.padding)
        return F.conv2d(x, weight, in_use(self.bias), stride=self.stride, padding=self.padding)

    def inside(self, x: Tensor) -> Tensor:
        """Compute `forward` at stride 1 without the pixels that see padding: (batch, out_channels, height', width')."""
        if self.weight.shape[0] <= _FEW_CHANNELS:
            return self._to_few(x, self.ready(), 0)
        return F.conv2d(x, self.ready(), in_use(self.bias))

    def _to_few(self, x: Tensor, weight: Tensor, padding: int) -> Tensor:
        """Convolve at stride 1: a transposed convolution by the kernel that is turned round."""
        kernel = weight.shape[-1]
        sides = [side + 2 * padding - kernel + 1 for side in x.shape[2:]]
        turned = weight.flip(-1, -2).transpose(0, 1)
        return folded(in_use(x), turned, sides, padding=kernel - 1 - padding) + self.bias[:, None, None]

    def turned_back(self, slope: Tensor, weight: Tensor, sides: tuple[int, ...]) -> Tensor:
        """Map (batch, out_channels, *sides') to (batch, in_channels, *sides)."""
        if weight.shape[1] <= _FEW_CHANNELS:
            return folded(slope, weight, sides, stride=self.stride, padding=self.padding)
        surplus = self._surplus(slope, weight, sides)
        return F.conv_transpose2d(slope, weight, stride=self.stride, padding=self.padding, output_padding=surplus)


def folded(x: Tensor, weight: Tensor, sides: Sequence[int], *, stride: int = 1, padding: int = 0) -> Tensor:
    """Compute a transposed convolution of images as one product of matrices, whose columns are then added at places.

    To few channels it takes a third of the time or less: a CPU's own kernels compute sixteen of them at least.

    Args:
        x: (batch, in_channels, height, width).
        weight: (in_channels, out_channels, *kernel).
        sides: of the result.
        stride: pixels of the result between two positions of the kernel.
        padding: pixels left out on every side of it.

    Returns:
        (batch, out_channels, *sides), the sums in float32 or better.
    """
    columns = weight.flatten(start_dim=1).T @ x.flatten(start_dim=2)
    exact = torch.promote_types(columns.dtype, torch.float32)
    return F.fold(columns.to(exact), sides, weight.shape[2:], stride=stride, padding=padding)


class SpectralNormConv1d(AbstractSpectralNormConv):
    """A convolution of series, in time."""

    _num_axes = 1

    def convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        """Map x (batch, in_channels, length) to (batch, out_channels, length')."""
        return F.conv1d(x, weight, in_use(self.bias), stride=self.stride, padding=self.padding)

    def turned_back(self, slope: Tensor, weight: Tensor, sides: tuple[int, ...]) -> Tensor:
        """Map (batch, out_channels, *sides') to (batch, in_channels, *sides)."""
        surplus = self._surplus(slope, weight, sides)
        return F.conv_transpose1d(slope, weight, stride=self.stride, padding=self.padding, output_padding=surplus)


class SpectralNormDoublingConv2d(AbstractSpectralNorm):
    """A convolution of kernel 3 and padding 1 over images that are doubled first, each pixel becoming four alike.

    A kernel of 3 sees two of the small pixels along an axis, one of them twice. So the sum is a transposed convolution
    of the small image: stride 2, and the kernel (w2, w1 + w2, w0 + w1, w0) along each axis. That takes 16 products a
    small pixel in place of 36, and the doubled image is never made. The result is the same but for rounding.

    Args:
        in_channels: channels of an input.
        out_channels: channels of an output.
        rng: the stream of initial weights.
    """

    def __init__(self, in_channels: int, out_channels: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self._start(torch.empty(out_channels, in_channels, 3, 3), rng)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def as_matrix(self, weight: Tensor) -> Tensor:
        """Flatten (..., out, in, 3, 3) to (..., out, in x 9)."""
        return weight.flatten(start_dim=-3)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, in_channels, height, width) to (batch, out_channels, 2 height, 2 width)."""
        return F.conv_transpose2d(x, self.ready(), in_use(self.bias), stride=2, padding=1)

    def kernel(self) -> Tensor:
        """Return the effective kernel over the small image, (in_channels, out_channels, 4, 4)."""
        return _doubling_kernel(self.effective_weight())


class SpectralNormEmbedding(AbstractSpectralNorm):
    """An embedding of classes: row `label` of W / sigma(W), W being (num_classes, features).

    Args:
        num_classes: rows.
        features: length of a row.
        rng: the stream of initial weights.
    """

    def __init__(self, num_classes: int, features: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self._start(torch.empty(num_classes, features), rng)

    def as_matrix(self, weight: Tensor) -> Tensor:
        """Return (..., num_classes, features) unchanged."""
        return weight

    def forward(self, one_hot: Tensor) -> Tensor:
        """Map one_hot (batch, num_classes) to (batch, features).

        This is a product with a one-hot matrix and not a look-up. The gradient of a look-up sums in no fixed order on a
        GPU.
        """
        return one_hot @ self.ready()


def advanced_buffers(
    module: nn.Module, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the buffers of a whole tree of modules after one power iteration in every spectral-norm layer.

    For each layer: v = W^T u / |W^T u|, then u' = W v / |W v|. The function is pure: nothing is changed in place, and
    no gradient is kept. Buffers of other layers are passed on unchanged.

    Args:
        module: names the layers and their kind. Its own tensors are not read.
        parameters: as `named_parameters` names them. Each tensor may have leading dimensions for stacked copies, and
            the function may run under `torch.func.vmap` instead.
        buffers: as `named_buffers` names them, stacked as the parameters are.

    Returns:
        The buffers under the same names and with the same shapes.

    >>> layer = SpectralNormLinear(3, 2, rng=torch.Generator().manual_seed(0))
    >>> new = advanced_buffers(layer, dict(layer.named_parameters()), dict(layer.named_buffers()))
    >>> list(new), tuple(new["u"].shape)
    (['u'], (2,))
    """
    advanced = dict(buffers)
    for prefix, layer in _spectral_norm_layers(module):
        weight = parameters[f"{prefix}weight"].detach()
        with _without_autocast(weight):
            advanced[f"{prefix}u"] = _next_u(layer.as_matrix(weight), buffers[f"{prefix}u"].detach())
    return advanced


def advance(module: nn.Module, num_iterations: int = 1) -> None:
    """Run power iterations in place on a module that holds its own tensors, such as a generator being trained.

    Call it once after every update of the weights, and a few more times after weights were replaced (a moving average).

    Args:
        module: any tree of modules. Layers without spectral norm are left alone.
        num_iterations: iterations per layer, at least 1.
    """
    for _, layer in _spectral_norm_layers(module):
        with torch.no_grad(), _without_autocast(layer.weight):
            matrix = layer.as_matrix(layer.weight)
            for _ in range(num_iterations):
                layer.u.copy_(_next_u(matrix, layer.u))


@contextlib.contextmanager
def settled(module: nn.Module) -> Iterator[None]:
    """Compute the effective weights of all layers once, for several forward passes without gradients.

    Within, weights and vectors must not change. They have no gradients here.
    """
    layers = [layer for _, layer in _spectral_norm_layers(module)]
    try:
        with torch.no_grad():
            for layer in layers:
                layer._settled = _channels_last(layer.ready())
        yield
    finally:
        for layer in layers:
            layer._settled = None


def _spectral_norm_layers(module: nn.Module) -> Iterator[tuple[str, AbstractSpectralNorm]]:
    for name, layer in module.named_modules():
        if isinstance(layer, AbstractSpectralNorm):
            yield (f"{name}." if name else ""), layer


def _doubling_kernel(weight: Tensor) -> Tensor:
    """Return the transposed kernel (in, out, 4, 4) of a kernel (out, in, 3, 3) over doubled images."""
    along = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]], dtype=weight.dtype, device=weight.device)
    with _without_autocast(weight):
        kernel = weight.flatten(start_dim=-2) @ torch.kron(along, along)
    return kernel.unflatten(-1, (4, 4)).transpose(0, 1)


def _channels_last(weight: Tensor) -> Tensor:
    """Return a kernel of images as a CPU multiplies by it. Any other weight stays as it is."""
    return weight.contiguous(memory_format=torch.channels_last) if weight.dim() == 4 else weight


def _without_autocast(weight: Tensor) -> torch.autocast:
    return torch.autocast(weight.device.type, enabled=False)


def _right_vector(matrix: Tensor, u: Tensor) -> Tensor:
    return F.normalize((u.unsqueeze(-2) @ matrix).squeeze(-2), dim=-1, eps=_TINY)


def _next_u(matrix: Tensor, u: Tensor) -> Tensor:
    v = _right_vector(matrix, u)
    return F.normalize((matrix @ v.unsqueeze(-1)).squeeze(-1), dim=-1, eps=_TINY)
