"""Text: any BERT-family model of transformers, from a small config or with given weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crossfade.encoders import hub
from crossfade.encoders.base import Attention, Encoder
from crossfade.layers.masking import masked_mean
from crossfade.specs import ModalitySpec


class TextEncoder(Encoder):
    """Word-piece ids (B, L) → contextual tokens (B, L, D_e), or their mean or CLS vector (B, 1, D_e).

    BERT: Devlin et al. 2019, arXiv:1810.04805. `fitted` holds the size of the vocabulary and the id of the padding;
    where the config names a `model`, its architecture too, so that a run is reopened without the original folder.

    `model`: a local path, `package:NAME/FOLDER` (a folder of an installed Python package), or a hub name.
    Raises UserError when it is none of them, or the hub is out of reach.
    """

    chunk = 32  # of 64 pieces each it took 5 to 7 % less time on one core than 64 do

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        model: str | None = None,
        hidden: int = 64,
        layers: int = 1,
        heads: int = 4,
        vocabulary: int = 2000,
        dropout: float = 0.1,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        from transformers import AutoConfig, AutoModel, BertConfig

        self.model, self.pool, self.pad = model, pool, fitted["pad"]
        self.pretrained = model is not None
        config: Any
        if model is None:
            config = BertConfig(
                vocab_size=fitted["vocabulary"],
                hidden_size=hidden,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=2 * hidden,
                max_position_embeddings=fitted["length"],
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
                pad_token_id=self.pad,
            )
        else:
            architecture = dict(fitted["architecture"])
            config = AutoConfig.for_model(architecture.pop("model_type"), **architecture)
        self.body = AutoModel.from_config(config, **self._options(config))
        self.width = config.hidden_size

    @staticmethod
    def check(fields: Mapping[str, Any]) -> None:
        model = fields.get("model")
        if model is None or Path(hub.place(model, "encoder.text.model")).exists():
            return  # what is in the folder is looked at when its tokenizer is read
        from transformers import AutoConfig

        with hub.download(model, "encoder.text.model"):
            AutoConfig.from_pretrained(model)

    @staticmethod
    def _options(config: Any) -> dict[str, Any]:
        # BERT's own pooler sees one token and would be left without a gradient
        return (
            {"add_pooling_layer": False} if config.model_type in ("bert", "roberta", "xlm-roberta", "camembert") else {}
        )

    def load_given_weights(self) -> None:
        if self.model is None:
            return
        from transformers import AutoModel

        with hub.reading(self.model, "encoder.text.model") as where, hub.quiet():
            self.body, report = AutoModel.from_pretrained(
                where, output_loading_info=True, **self._options(self.body.config)
            )
        hub.check_complete(report, self.model, "encoder.text.model")

    @property
    def entrance(self) -> nn.Module:
        """The word embeddings, before positions are added."""
        return self.body.get_input_embeddings()

    def attention(self, x: Tensor) -> Attention:
        mask = self._mask(x)
        given = self.body.config._attn_implementation
        self.body.set_attn_implementation("eager")  # the quicker ones keep no weights
        out = self.body(input_ids=x, attention_mask=mask.long(), output_attentions=True)
        self.body.set_attn_implementation(given)
        share = mask / mask.sum(1, keepdim=True)
        if self.pool == "cls":
            share = torch.zeros_like(share).index_fill(1, torch.zeros(1, dtype=torch.int64, device=x.device), 1.0)
        return Attention(torch.stack([layer.mean(1) for layer in out.attentions], 1), share)

    def _mask(self, x: Tensor) -> Tensor:
        mask = x != self.pad
        # the first token (CLS) always counts: a softmax over no token at all is NaN
        return torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mask = self._mask(x)
        tokens = self.body(input_ids=x, attention_mask=mask.long()).last_hidden_state
        if self.pool == "none":
            return tokens, mask
        pooled = tokens[:, 0] if self.pool == "cls" else masked_mean(tokens, mask)
        return pooled.unsqueeze(1), mask[:, :1]
