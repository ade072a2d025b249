"""Small teachers and students for signals and images.

None of them has dropout or batch normalisation: what a row's logits are depends on the row and the weights
alone, so several models trained side by side end where they would have ended one by one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIGNAL_LENGTH = 40


class WindowConv1d(nn.Conv1d):
    """`torch.nn.Conv1d` with the same parameters and results, as one matrix product.

    The windows are strided slices laid side by side. Under `torch.func.vmap` over stacked parameters that is
    one batched product, on CPUs several times faster than the grouped convolution PyTorch would use.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        kernel_size: Length of a window.
        stride: Steps from one window to the next.
        padding: Zeros added at both ends.
        bias: Whether a learnt number is added to each channel.

    Raises:
        ValueError: The signal is shorter than one window.

    Example:
        >>> conv, signals = WindowConv1d(2, 3, kernel_size=5, stride=2, padding=1), torch.rand(4, 2, 11)
        >>> torch.allclose(conv(signals), nn.Conv1d.forward(conv, signals), atol=1e-6)
        True
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        # Narrower than nn.Conv1d on purpose: dilation, groups and other paddings are not computed here.
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (..., in_channels, length) to (..., out_channels, windows)."""
        width, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        # Channels last: the slices then hold whole rows, and joining them copies straight through.
        padded = F.pad(input.transpose(-1, -2), (0, 0, padding, padding))
        span = padded.shape[-2] - width + 1
        if span < 1:
            raise ValueError(
                f"A window of {width} does not fit a signal of {input.shape[-1]}: pass a longer one."
            )
        windows = torch.cat([padded[..., start : start + span : stride, :] for start in range(width)], dim=-1)
        return F.linear(windows, self.weight.transpose(1, 2).flatten(1), self.bias).transpose(-1, -2)


class SignalCNN(nn.Module):
    """The convolutional network of the MNIST-1D paper: three convolutions and a linear layer.

    With 25 channels and 10 classes it has 5,210 parameters and reaches about 94%.
    Source: Greydanus & Kobak, "Scaling Down Deep Learning with MNIST-1D", https://arxiv.org/abs/2011.14439.

    Args:
        channels: Channels of each convolution: its capacity.
        classes: How many logits.

    Raises:
        ValueError: A size below 1, or signals of another shape than (B, 40).

    Example:
        >>> SignalCNN(channels=8)(torch.zeros(3, 40)).shape
        torch.Size([3, 10])
    """

    def __init__(self, channels: int = 25, classes: int = 10) -> None:
        super().__init__()
        _check_sizes(channels=channels, classes=classes)
        self.convolutions = nn.Sequential(
            WindowConv1d(1, channels, kernel_size=5, stride=2, padding=1),  # (B, channels, 19)
            nn.ReLU(),
            WindowConv1d(channels, channels, kernel_size=3, stride=2, padding=1),  # (B, channels, 10)
            nn.ReLU(),
            WindowConv1d(channels, channels, kernel_size=3, stride=2, padding=1),  # (B, channels, 5)
            nn.ReLU(),
        )
        self.linear = nn.Linear(channels * 5, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, classes) of signals (B, 40)."""
        _check_shape(self, inputs, (SIGNAL_LENGTH,))
        features: Tensor = self.convolutions(inputs.unsqueeze(1)).flatten(1)
        logits: Tensor = self.linear(features)
        return logits


class SignalMLP(nn.Module):
    """A fully connected network for signals; each hidden layer after the first adds to what it got.

    With its defaults it is the MNIST-1D paper's: 15,210 parameters, about 68%.
    Source: Greydanus & Kobak, "Scaling Down Deep Learning with MNIST-1D", https://arxiv.org/abs/2011.14439.

    Args:
        hidden: Units of each hidden layer.
        classes: How many logits.
        layers: How many hidden layers.

    Raises:
        ValueError: A size below 1, or signals of another shape than (B, 40).

    Example:
        >>> SignalMLP(hidden=16, layers=1)(torch.zeros(3, 40)).shape
        torch.Size([3, 10])
    """

    def __init__(self, hidden: int = 100, classes: int = 10, layers: int = 2) -> None:
        super().__init__()
        _check_sizes(hidden=hidden, classes=classes, layers=layers)
        self.first = nn.Linear(SIGNAL_LENGTH, hidden)
        self.middle = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(layers - 1))
        self.last = nn.Linear(hidden, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, classes) of signals (B, 40)."""
        _check_shape(self, inputs, (SIGNAL_LENGTH,))
        features: Tensor = self.first(inputs).relu()
        for layer in self.middle:
            features = features + layer(features).relu()
        logits: Tensor = self.last(features)
        return logits


class ImageCNN(nn.Module):
    """A small convolutional network for grey images: three convolutions, two of which halve the picture.

    Args:
        channels: Channels of the first convolution; the others have twice as many.
        classes: How many logits.
        size: Height and width of the images in pixels: 8 for the digits, 28 for MNIST.

    Raises:
        ValueError: A size below 1, or images of another shape than (B, 1, size, size).

    Example:
        >>> ImageCNN(channels=4, size=28)(torch.zeros(3, 1, 28, 28)).shape
        torch.Size([3, 10])
    """

    def __init__(self, channels: int = 16, classes: int = 10, size: int = 8) -> None:
        super().__init__()
        _check_sizes(channels=channels, classes=classes, size=size)
        self.size = size
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * channels, 2 * channels, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
        )
        quarter = (size + 3) // 4  # halved twice, rounded up
        self.linear = nn.Linear(2 * channels * quarter**2, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, 1, size, size)."""
        _check_shape(self, inputs, (1, self.size, self.size))
        features: Tensor = self.convolutions(inputs).flatten(1)
        logits: Tensor = self.linear(features)
        return logits


class ImageMLP(nn.Module):
    """One hidden layer on the pixels of a grey image.

    Args:
        hidden: Units of the hidden layer.
        classes: How many logits.
        size: Height and width of the images in pixels: 8 for the digits, 28 for MNIST.

    Raises:
        ValueError: A size below 1, or images of another shape than (B, 1, size, size).

    Example:
        >>> ImageMLP(hidden=8)(torch.zeros(3, 1, 8, 8)).shape
        torch.Size([3, 10])
    """

    def __init__(self, hidden: int = 64, classes: int = 10, size: int = 8) -> None:
        super().__init__()
        _check_sizes(hidden=hidden, classes=classes, size=size)
        self.size = size
        self.hidden = nn.Linear(size**2, hidden)
        self.linear = nn.Linear(hidden, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, 1, size, size)."""
        _check_shape(self, inputs, (1, self.size, self.size))
        logits: Tensor = self.linear(self.hidden(inputs.flatten(1)).relu())
        return logits


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be 1 or more, not {size}.")


def _check_shape(model: nn.Module, inputs: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(inputs.shape[1:]) != shape or inputs.ndim == 0:
        wanted = ", ".join(["B", *map(str, shape)])
        raise ValueError(f"{type(model).__name__} takes inputs ({wanted}), not {tuple(inputs.shape)}.")
