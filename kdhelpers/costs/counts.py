"""Costs that are counted, so the same on every machine: parameters, bytes, FLOPs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..modes import in_mode
from .running import one_row


def count_parameters(model: nn.Module) -> int:
    """How many numbers the model learns; a parameter used in two places counts once.

    Example:
        >>> count_parameters(nn.Linear(40, 10))
        410
    """
    return sum(parameter.numel() for parameter in model.parameters())


def bytes_on_disk(model: nn.Module) -> int:
    """Size of a safetensors file of the model's parameters and buffers, in bytes; shared tensors once.

    Raises:
        ValueError: The state holds something such a file cannot, such as PyTorch's own quantised tensors.

    Example:
        >>> bytes_on_disk(nn.Linear(40, 10)) - 410 * 4 < 200  # what is left is the file's header
        True
    """
    return len(safetensors.torch.save(_state_once(model)))


def _state_once(model: nn.Module) -> dict[str, Tensor]:
    state, seen = {}, set()
    for name, value in model.state_dict().items():
        if not isinstance(value, Tensor) or value.is_quantized:
            raise ValueError(
                f"{name} is a {type(value).__name__} that safetensors cannot store: "
                "export the model and take the size of that file."
            )
        place = (value.data_ptr(), value.shape, value.stride(), value.dtype)
        if place not in seen or not value.numel():
            # A copy, because safetensors refuses tensors that share only a part of their memory.
            state[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        seen.add(place)
    return state


def count_flops(model: nn.Module, example: Tensor | list[str]) -> int:
    """Floating-point operations of one example, a multiplication with its addition counting as 2.

    PyTorch's own counter: matrix products, convolutions and attention. Sums, activations and look-ups, a
    small part of most models, are not in it.

    Args:
        model: Any model that takes the example as its one argument.
        example: One row: a tensor (1, ...) or a list with one text.

    Raises:
        ValueError: The example is not one row.

    Example:
        >>> count_flops(nn.Linear(40, 10), torch.zeros(1, 40))  # 2 × 40 × 10
        800
    """
    # Imported here because it brings a compiler along, which `import kdhelpers` should not wait for.
    from torch.utils.flop_counter import FlopCounterMode

    example = one_row(example, model)
    with in_mode(model, training=False), torch.no_grad(), _nothing_fused():
        counter = FlopCounterMode(display=False)
        with counter:
            model(example)
    return int(counter.get_total_flops())


@contextmanager
def _nothing_fused() -> Iterator[None]:
    # The counter does not know fused attention and recurrent kernels and would count them as nothing, so a
    # transformer or an LSTM would seem almost free. Without them the same products run one by one.
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            # Setting oneDNN's flags warns about Intel GPUs that are not there.
            warnings.simplefilter("ignore")
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
