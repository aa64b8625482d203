"""The text networks: BERT, MiniLM, GPT-2, RoBERTa, T5's encoder."""

import re
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn
from transformers.masking_utils import causal_mask_function, create_bidirectional_mask

from tl_course import store
from tl_course.models.hub import SMALL, Family, read
from tl_course.models.pooling import First, LastWritten, MeanWritten, numbered, written
from tl_course.models.reader import code_points

EMPTY = -1  # where no token stands; no tokeniser uses it, while 0 is a word to some
LONGEST = 256  # tokens; what stands behind them is cut off
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model")
WORDS = 500  # the vocabulary of the small networks


class Tokens(nn.Module):
    """Code points to the network's tokens.

    In: integers (N, letters), zeros after the last letter. Out: int64 (N, L), at most ``LONGEST``
    tokens and ``EMPTY`` behind the last. Raises ``BadInput`` for other shapes and types.
    ``tokeniser`` is the JSON of one, as the library tokenizers writes it, and ``empty`` its token
    for a text in which it finds none; without it words are ``Hashed``.
    """

    FIXED: ClassVar = {"kind": "tokens", "longest": LONGEST}

    def __init__(self, tokeniser: str | None = None, empty: int = 0):
        super().__init__()
        self.tokeniser, self.empty = tokeniser, store.whole("empty", empty, least=0)
        self.tokenise = Hashed() if tokeniser is None else _official(tokeniser, empty)

    def settings(self) -> dict[str, object]:
        """What it was made with."""
        return {"tokeniser": self.tokeniser, "empty": self.empty}

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        cure = "Make them with ord(letter), zeros behind the last, as in Split"
        letters = code_points(points, "a text network", cure).cpu().numpy().astype("<u4")
        texts = [row.tobytes().decode("utf-32-le", "replace").rstrip("\0") for row in letters]
        rows = self.tokenise(texts) if texts else []
        tokens = torch.full((len(rows), max(map(len, rows), default=1)), EMPTY)
        for row, ids in zip(tokens, rows, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        return tokens.to(points.device)


def _official(text: str, empty: int) -> Callable[[list[str]], list[list[int]]]:
    from tokenizers import Tokenizer

    tokeniser = Tokenizer.from_str(text)
    tokeniser.no_padding()
    tokeniser.enable_truncation(LONGEST)
    return partial(_encoded, tokeniser, empty)


def _encoded(tokeniser, empty: int, texts: list[str]) -> list[list[int]]:
    # GPT-2 marks no beginning: nothing written would be no token at all
    return [found.ids or [empty] for found in tokeniser.encode_batch(texts)]


class Hashed:
    """Lower-case words and signs by a checksum; needs no file. For networks that know no word."""

    START, END, FIRST = 2, 3, 4  # 0 and 1 are what the families call padding

    def __call__(self, texts: Iterable[str]) -> list[list[int]]:
        return [[self.START, *self._words(text)[: LONGEST - 2], self.END] for text in texts]

    def _words(self, text: str) -> list[int]:
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        return [self.FIRST + zlib.crc32(word.encode()) % (WORDS - self.FIRST) for word in words]


def _tokens(network: nn.Module, folder: Path | None) -> Tokens:
    if folder is None:
        return Tokens()
    from transformers import AutoTokenizer

    found = read(AutoTokenizer, "tokeniser", folder)
    # without its files the library makes one that knows no word, and says nothing
    if not any((folder / file).is_file() for file in VOCABULARIES):
        raise store.NotAvailable(
            f"the tokeniser in {folder}",
            f"there is no {VOCABULARIES[0]}",
            "Put the file of the same model there; models.save keeps both in one file",
        )
    words = network.config.vocab_size
    if len(found) > words:
        raise store.CorruptFile(
            f"the tokeniser in {folder}",
            f"it has {len(found):,} tokens, and the network {words:,}",
            "Put the tokeniser and the weights of one model there",
        )
    return Tokens(found.backend_tokenizer.to_str(), found.eos_token_id or 0)


class Embeddings(nn.Module):
    """Tokens (N, L) to vectors (N, L, C), zeros where there is none."""

    def __init__(self, layer: nn.Module, padding: int):
        super().__init__()
        self.layer = layer
        self.padding = padding

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        empty = tokens == EMPTY
        return self.layer(tokens.masked_fill(empty, self.padding)).masked_fill(empty[..., None], 0)


class Block(nn.Module):
    """A transformer block that looks at no empty place, and leaves it empty."""

    def __init__(self, layer: nn.Module, mask: Callable, config):
        super().__init__()
        self.layer = layer
        self.after = nn.Identity()
        self._mask, self._config = mask, config

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        there = written(vectors)
        mask = self._mask(self._config, vectors, there)
        found = self.after(self.layer(vectors, attention_mask=mask))
        return found.masked_fill(~there[..., None], 0)


def _blocks(layers: Iterable[nn.Module], config, mask: Callable = create_bidirectional_mask):
    return numbered(Block(layer, mask, config) for layer in layers)


def _encoder(
    body: nn.Module, config, *head: nn.Module, **between: nn.Module
) -> dict[str, nn.Module]:
    """The stages of BERT and its kin: embeddings, blocks, what is between, and ``head``."""
    return {
        "embeddings": Embeddings(body.embeddings, config.pad_token_id),
        **_blocks(body.encoder.layer, config),
        **between,
        "head": nn.Sequential(*head),
    }


def _bert(network: nn.Module) -> dict[str, nn.Module]:
    head = network.dropout, network.classifier
    return _encoder(network.bert, network.config, *head, pooler=network.bert.pooler)


def _minilm(network: nn.Module) -> dict[str, nn.Module]:
    return _encoder(network, network.config, MeanWritten(), network.classifier)


def _roberta(network: nn.Module) -> dict[str, nn.Module]:
    head = network.classifier
    tail = head.dropout, head.dense, nn.Tanh(), head.dropout, head.out_proj
    return _encoder(network.roberta, network.config, First(), *tail)


class Places(nn.Module):
    """GPT-2's vectors: a word and its place."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.words, self.places, self.dropout = body.wte, body.wpe, body.drop

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        return self.dropout(self.words(tokens) + self.places(places))


def _gpt2(network: nn.Module) -> dict[str, nn.Module]:
    body = network.transformer
    # the library's own for such blocks wants a cache too, by another name every few releases
    onward = partial(create_bidirectional_mask, and_mask_function=causal_mask_function)
    blocks = _blocks(body.h, network.config, onward)
    blocks[[*blocks][-1]].after = body.ln_f
    return {
        "embeddings": Embeddings(Places(body), 0),
        **blocks,
        "head": nn.Sequential(LastWritten(), network.score),
    }


class Biased(nn.Module):
    """A block of T5. All use the distances that the first one has learned."""

    def __init__(self, block: nn.Module, first: nn.Module):
        super().__init__()
        self.block = block
        self._first = (first.layer[0].SelfAttention,)  # in a tuple: the first block owns it

    def forward(self, vectors: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        length = vectors.shape[1]
        bias = self._first[0].compute_bias(length, length, device=vectors.device)
        return self.block(vectors, attention_mask=attention_mask, position_bias=bias)[0]


def _t5(network: nn.Module) -> dict[str, nn.Module]:
    body = network.encoder
    body.embed_tokens = network.shared  # the same weights; now also the same module
    blocks = _blocks((Biased(block, body.block[0]) for block in body.block), network.config)
    blocks[[*blocks][-1]].after = nn.Sequential(body.final_layer_norm, body.dropout)
    return {
        "embeddings": Embeddings(nn.Sequential(body.embed_tokens, body.dropout), 0),
        **blocks,
        "head": nn.Sequential(MeanWritten(), network.classifier),
    }


_BERT = {**SMALL, "vocab_size": WORDS, "max_position_embeddings": LONGEST + 2}
_GPT2 = {
    "vocab_size": WORDS,
    "n_embd": 48,
    "n_layer": 3,
    "n_head": 4,
    "n_positions": LONGEST,
    "pad_token_id": 0,
    "bos_token_id": Hashed.START,
    "eos_token_id": Hashed.END,
}
_ROBERTA = {**_BERT, "pad_token_id": 1, "type_vocab_size": 1}
_T5 = {"vocab_size": WORDS, "d_model": 48, "d_kv": 12, "d_ff": 96, "num_layers": 3, "num_heads": 4}
_NEW = ("classifier.",)
_BARE = {"add_pooling_layer": False}
KINDS = (Tokens,)
FAMILIES = {
    "bert": Family("BertForSequenceClassification", _BERT, _bert, _tokens, new=_NEW),
    "minilm": Family("BertModel", _BERT, _minilm, _tokens, options=_BARE, own_head=True),
    "gpt2": Family("GPT2ForSequenceClassification", _GPT2, _gpt2, _tokens, new=("score.",)),
    "roberta": Family("RobertaForSequenceClassification", _ROBERTA, _roberta, _tokens, new=_NEW),
    "t5": Family("T5EncoderModel", _T5, _t5, _tokens, own_head=True),
}
