"""What tells a teacher from another, and a row from what it was when the teacher saw it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from torch import Tensor, nn, uint8

from ..data import Split

_HASH_BYTES = 8  # of each row's own hash: enough to notice a change, small beside the logits
_ROWS = 4096


def teacher_fingerprint(teacher: nn.Module) -> str:
    """A sha256 over a teacher's weights and buffers, with names, dtypes and shapes, and its parts' classes.

    What else makes a teacher (a tokenizer, a rule in its code) does not show in there: such a teacher has a
    method ``fingerprint() -> str`` of its own, which is then asked.

    Raises:
        ValueError: The teacher's state holds something else than tensors, or its own fingerprint is no text.

    Example:
        >>> one, two = nn.Linear(2, 2), nn.Linear(2, 2)
        >>> teacher_fingerprint(one) == teacher_fingerprint(two)
        False
        >>> _ = two.load_state_dict(one.state_dict())
        >>> teacher_fingerprint(one) == teacher_fingerprint(two)
        True
    """
    own = getattr(teacher, "fingerprint", None)
    if callable(own):
        found = own()
        if not isinstance(found, str) or not found:
            raise ValueError(f"The teacher's fingerprint() gives {found!r}: it must give a text.")
        return found
    parts = [["part", name, type(part).__qualname__] for name, part in teacher.named_modules()]
    state = {**dict(teacher.named_buffers()), **teacher.state_dict()}
    digest = hashlib.sha256(_told(json.dumps(parts).encode()))
    for name, tensor in sorted(state.items()):
        if not isinstance(tensor, Tensor):
            raise ValueError(
                f"The teacher's state holds {name!r}, which is no tensor: give the teacher a method "
                "fingerprint() that returns a text which changes whenever its outputs do."
            )
        digest.update(_told(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode()))
        digest.update(_bytes(tensor))  # dtype and shape tell how many
    return digest.hexdigest()


def data_fingerprint(split: Split) -> tuple[str, bytes]:
    """A sha256 over the ids and inputs of all rows in their order, and 8 bytes a row that tell its input.

    Labels and slices do not count, as the teacher doesn't see them.

    Example:
        >>> whole, rows = data_fingerprint(Split(["a", "b"], ["hello", "hello"]))
        >>> rows[:8] == rows[8:]
        True
        >>> whole == data_fingerprint(Split(["b", "a"], ["hello", "hello"]))[0]
        False
    """
    whole, rows = hashlib.sha256(), bytearray()
    kind = _kind(split.inputs)
    for id, content in zip(split.ids, _contents(split.inputs), strict=True):
        row = hashlib.sha256(kind + content).digest()
        whole.update(_told(_id_bytes(id)) + row)
        rows += row[:_HASH_BYTES]
    return whole.hexdigest(), bytes(rows)


def _told(data: bytes) -> bytes:
    # Length first: what follows can then never be taken for a part of it.
    return len(data).to_bytes(8, "little") + data


def _id_bytes(id: str | int) -> bytes:
    return b"s" + _text_bytes(id) if isinstance(id, str) else b"i%d" % id


def _text_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _kind(inputs: Tensor | list[str]) -> bytes:
    kind = ["tensor", str(inputs.dtype), inputs.shape[1:]] if isinstance(inputs, Tensor) else ["text"]
    return _told(json.dumps(kind).encode())


def _contents(inputs: Tensor | list[str]) -> Iterator[bytes]:
    if not isinstance(inputs, Tensor):
        yield from map(_text_bytes, inputs)
        return
    width = inputs[0].numel() * inputs.element_size()
    for rows in inputs.split(_ROWS):
        data = _bytes(rows)
        yield from (data[at * width : (at + 1) * width] for at in range(len(rows)))


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(uint8).numpy().tobytes()
