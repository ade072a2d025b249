"""The teacher: a pretrained transformer that reads a text, and a linear head that names its class."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..bars import progress_bar
from ..data import Split
from ..devices import device_of
from ..files import write_whole
from ..modes import in_mode
from ..tokens import Tokens
from .encoder import empty_encoder, pretrained_encoder
from .logistic import WEIGHT_DECAY, fit_logistic, labelled_texts
from .saving import checked_classes, read_settings, read_weights, save_model
from .weights import MINILM_SHA256, checked_folder, find_minilm

_TOGETHER = 32  # texts of like length go through it at once: filling costs as much as text does


class TransformerTeacher(nn.Module):
    """A pretrained transformer with a linear head. Takes a list of B texts, gives logits (B, C).

    Fresh, it is frozen: ``fit`` trains the head on its embeddings, in seconds. After ``unfreeze()`` the
    whole of it learns, for instance ``train(teacher.unfreeze(), split, epochs=3, learning_rate=3e-5)``.

    Args:
        classes: The class names, in the order of the labels.
        weights: The folder of a model (config.json, tokenizer.json, model.safetensors); by default MiniLM,
            as ``find_minilm`` finds it.
        sha256: What the weights must be; needed for a model other than MiniLM.
        max_length: Tokens of a text that are read.

    Raises:
        ImportError: The extra ``text`` is not installed.
        FileNotFoundError: There are no weights.
        ValueError: The weights have another sha256, or fewer than two classes.

    Example:
        >>> teacher = TransformerTeacher(["billing", "other"])
        >>> texts = ["I was charged twice", "you took my money", "lovely weather", "hello there"]
        >>> split = Split(ids=range(4), inputs=texts, labels=torch.tensor([0, 0, 1, 1]))
        >>> teacher.fit(split)(["why did you charge my card?"]).argmax(1)
        tensor([0])
    """

    KIND = "transformer teacher"

    def __init__(
        self,
        classes: Sequence[str],
        *,
        weights: str | os.PathLike[str] | None = None,
        sha256: str = MINILM_SHA256,
        max_length: int = 128,
    ) -> None:
        super().__init__()
        self.classes = checked_classes(classes)
        folder = find_minilm() if weights is None else checked_folder(weights, sha256)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._build(config, pretrained_encoder(folder), folder, max_length)

    def _build(self, config: dict[str, Any], encoder: nn.Module, folder: Path, max_length: int) -> None:
        self._config = config
        self.tokens = Tokens(folder / "tokenizer.json", max_length)
        self.encoder = encoder
        # Asked of the built model: not every kind of config.json calls it hidden_size.
        self.head = nn.Linear(int(encoder.config.hidden_size), len(self.classes))  # type: ignore[union-attr, arg-type]
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.encoder.requires_grad_(False)
        self.eval()

    @property
    def frozen(self) -> bool:
        """Whether only the head learns.

        Example:
            >>> TransformerTeacher(["a", "b"]).frozen
            True
        """
        return not any(parameter.requires_grad for parameter in self.encoder.parameters())

    def unfreeze(self) -> TransformerTeacher:
        """Let the transformer learn too, and give the teacher back.

        Example:
            >>> TransformerTeacher(["a", "b"]).unfreeze().frozen
            False
        """
        self.encoder.requires_grad_(True)
        return self

    def train(self, mode: bool = True) -> TransformerTeacher:
        """Train or evaluation mode; a frozen transformer stays in evaluation mode, without dropout.

        Example:
            >>> TransformerTeacher(["a", "b"]).train().encoder.training
            False
        """
        super().train(mode)
        self.encoder.train(mode and not self.frozen)
        return self

    def forward(self, texts: list[str]) -> Tensor:
        """Logits (B, C) of B texts.

        Raises:
            TypeError: Not a list of texts.

        Example:
            >>> TransformerTeacher(["a", "b", "c"])(["help", ""]).shape
            torch.Size([2, 3])
        """
        logits: Tensor = self.head(self.embed(texts))
        return logits

    def embed(self, texts: list[str], *, progress: bool = False) -> Tensor:
        """The transformer's view of texts: the mean over the tokens, scaled to length 1.

        Args:
            texts: B texts.
            progress: Whether to show a bar.

        Returns:
            Embeddings (B, D), in the order of the texts, with gradients unless frozen.

        Raises:
            TypeError: Not a list of texts.

        Example:
            >>> round(TransformerTeacher(["a", "b"]).embed(["help"]).norm().item(), 3)
            1.0
        """
        ids, mask = (torch.from_numpy(array) for array in self.tokens(texts))
        order = mask.sum(1).argsort(stable=True)
        starts = range(0, len(order), _TOGETHER)
        parts = [
            self._embed_like(ids, mask, order[start : start + _TOGETHER])
            for start in progress_bar(starts, title="reading", unit="batch", shown=progress)
        ]
        if not parts:
            return self.head.weight.new_zeros(0, self.head.in_features)
        return torch.cat(parts)[order.argsort()]

    def _embed_like(self, ids: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        place, longest = device_of(self), int(mask[rows].sum(1).max())
        here, counts = ids[rows, :longest].to(place), mask[rows, :longest].to(place)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            hidden = self.encoder(input_ids=here, attention_mask=counts).last_hidden_state
            means = (hidden * counts[..., None]).sum(1) / counts.sum(1, keepdim=True)
            return F.normalize(means, dim=1)

    def fit(
        self, split: Split, *, weight_decay: float = WEIGHT_DECAY, progress: bool = False
    ) -> TransformerTeacher:
        """Train the head alone, to its one best solution: logistic regression on the embeddings.

        Args:
            split: Texts; rows without a label are left out.
            weight_decay: Half of it times the squared weights is added to the mean loss.
            progress: Whether to show a bar while the texts are read.

        Returns:
            The teacher itself.

        Raises:
            ValueError: No labelled rows, one class only, a label beyond the classes, or no texts.

        Example:
            >>> teacher = TransformerTeacher(["a", "b"])
            >>> teacher.fit(Split(ids=[0], inputs=["x"], labels=torch.tensor([1])))
            Traceback (most recent call last):
            ValueError: All labelled rows are of the class 'b': a teacher needs two or more to tell apart.
        """
        texts, labels = labelled_texts(split, self.classes)
        with in_mode(self, training=False), torch.no_grad():
            embedded = self.embed(texts, progress=progress)
        fit_logistic(self.head, embedded, labels.to(embedded.device), weight_decay)
        return self

    def fingerprint(self) -> str:
        """A sha256 over all that decides the teacher's answers: weights, head, classes, tokens.

        Example:
            >>> teacher = TransformerTeacher(["a", "b"])
            >>> teacher.fingerprint() == TransformerTeacher(["a", "c"]).fingerprint()
            False
        """
        digest = hashlib.sha256(json.dumps(self._settings(), sort_keys=True).encode())
        digest.update(self.tokens.save().encode())
        for name, value in sorted(self.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def _settings(self) -> dict[str, Any]:
        return {
            "kind": self.KIND,
            "classes": list(self.classes),
            "max_length": self.tokens.max_length,
            "encoder": self._config,
        }

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the teacher into a folder: all weights, the tokenizer, the settings.

        Raises:
            OSError: A file could not be written.

        Example:
            >>> import tempfile
            >>> folder, teacher = tempfile.mkdtemp(), TransformerTeacher(["a", "b"])
            >>> teacher.save(folder)
            >>> TransformerTeacher.load(folder).fingerprint() == teacher.fingerprint()
            True
        """
        write_whole(Path(folder) / "tokenizer.json", self.tokens.save())
        save_model(folder, self, self._settings())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TransformerTeacher:
        """A teacher as it was saved, in evaluation mode and frozen.

        Raises:
            FileNotFoundError: No model was saved there.
            ValueError: What is there is damaged, or another kind of model.

        Example:
            >>> TransformerTeacher.load("nowhere")
            Traceback (most recent call last):
            FileNotFoundError: There is no saved model in nowhere: it lacks model.json.
        """
        settings = read_settings(folder, cls.KIND)
        teacher = cls.__new__(cls)
        nn.Module.__init__(teacher)
        teacher.classes = checked_classes(settings["classes"])
        config = settings["encoder"]
        teacher._build(config, empty_encoder(config), Path(folder), settings["max_length"])
        read_weights(folder, teacher)
        return teacher
