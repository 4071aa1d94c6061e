"""The vocabulary that is trained on the training split."""

from __future__ import annotations

import random

from crossfade.data.transforms.text import SPECIAL, train_wordpiece

RANDOM = random.Random(0)
WORDS = ["".join(RANDOM.choice("abcdefgh") for _ in range(RANDOM.randint(3, 9))) for _ in range(400)]
TEXTS = [" ".join(RANDOM.choice(WORDS) for _ in range(20)) for _ in range(200)]


def test_two_trainings_give_the_same_vocabulary():
    first = train_wordpiece(TEXTS, 600).to_str()
    assert all(train_wordpiece(TEXTS, 600).to_str() == first for _ in range(4))


def test_it_spells_every_training_text_and_knows_its_frame():
    tokenizer = train_wordpiece(TEXTS, 600)
    encoded = tokenizer.encode(TEXTS[0].upper())
    assert (encoded.tokens[0], encoded.tokens[-1]) == ("[CLS]", "[SEP]")
    assert "[UNK]" not in encoded.tokens
    assert tokenizer.decode(encoded.ids) == TEXTS[0]
    assert [tokenizer.token_to_id(token) for token in SPECIAL] == list(range(5))
    assert tokenizer.encode("##a").tokens != ["[CLS]", "##a", "[SEP]"]  # a piece in the text is only text
