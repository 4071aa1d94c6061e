"""Text → word-piece ids (n, L)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from crossfade.data.transforms.base import Transform
from crossfade.encoders import hub
from crossfade.errors import UserError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class TextTransform(Transform):
    """[CLS] pieces [SEP], cut at `length` (default 64), padded.

    The WordPiece vocabulary (Wu et al. 2016, arXiv:1609.08144, section 4.1) is trained on the training split, or is
    that of `encoder.text.model`. Either way the run keeps it.
    """

    def __init__(self, spec: Any, encoder: Any) -> None:
        super().__init__(spec, encoder)
        self._tokenizer: Tokenizer | None = None

    def fit(self, prepared: Sequence[Any]) -> None:
        length = self.spec.length or 64
        model = self.encoder.get("model")
        if model is None:
            tokenizer = train_wordpiece(prepared, self.encoder["vocabulary"])
            self.fitted = {"pad": 0, "vocabulary": tokenizer.get_vocab_size()}
        else:
            tokenizer, architecture = load_tokenizer(model)
            pad = architecture.get("pad_token_id") or 0
            length = min(length, architecture.get("max_position_embeddings") or length)
            self.fitted = {"pad": pad, "vocabulary": tokenizer.get_vocab_size(), "architecture": architecture}
        tokenizer.enable_truncation(length)
        tokenizer.enable_padding(
            length=length, pad_id=self.fitted["pad"], pad_token=tokenizer.id_to_token(self.fitted["pad"])
        )
        self.fitted |= {"length": length, "tokenizer": tokenizer.to_str()}

    def finish(self, prepared: Sequence[Any]) -> Tensor:
        if self._tokenizer is None:
            self._tokenizer = Tokenizer.from_str(self.fitted["tokenizer"])
        encoded = self._tokenizer.encode_batch(["" if text is None else str(text) for text in prepared])
        return torch.tensor([e.ids for e in encoded], dtype=torch.int64).view(len(prepared), self.fitted["length"])


def train_wordpiece(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer of about `vocabulary` pieces, trained on these texts; the same each time."""
    from tokenizers import trainers

    words = sorted({word for text in texts for word, _ in _split(str(text))})
    # The trainer numbers the pieces "##x" in the order of a hash map and breaks ties by number, so that two trainings
    # differ. Given in advance they have fixed numbers. They must not be special in the end: hence a second tokenizer.
    inside = sorted({f"##{letter}" for word in words for letter in word})
    draft = _wordpiece({})
    trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=SPECIAL + inside, show_progress=False)
    draft.train_from_iterator([str(text) for text in texts], trainer)
    return _wordpiece(draft.get_vocab())


def _split(text: str) -> list[tuple[str, Any]]:
    from tokenizers import normalizers, pre_tokenizers

    normal = normalizers.BertNormalizer(lowercase=True).normalize_str(text)
    return pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normal)


def _wordpiece(vocabulary: dict[str, int]) -> Tokenizer:
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    if vocabulary:
        tokenizer.add_special_tokens(SPECIAL)
        ends = [(token, vocabulary[token]) for token in ("[SEP]", "[CLS]")]
        tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def load_tokenizer(model: str) -> tuple[Tokenizer, dict[str, Any]]:
    """The tokenizer and the architecture (a plain dict) of a local path, `package:NAME/FOLDER` or hub name."""
    from transformers import AutoConfig, AutoTokenizer

    place = hub.place(model, "encoder.text.model")

    def load() -> tuple[Any, Any]:
        return AutoTokenizer.from_pretrained(place), AutoConfig.from_pretrained(place)

    if Path(place).exists():
        try:
            tokenizer, config = load()
        except (OSError, ValueError) as error:
            raise UserError(
                f"encoder.text.model={model}: the folder holds no model ({str(error).splitlines()[0]}). "
                "It needs config.json, tokenizer.json and the weights, as save_pretrained writes them."
            ) from error
    else:
        with hub.download(model, "encoder.text.model"):
            tokenizer, config = load()
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UserError(f"encoder.text.model={model}: it has no fast tokenizer (tokenizer.json). Use a model that has.")
    return Tokenizer.from_str(backend.to_str()), config.to_dict()
