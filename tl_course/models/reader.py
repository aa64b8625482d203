"""The number reader: from the letters of a number in words to its four digits."""

from typing import ClassVar

import torch
from torch import nn

from tl_course import store
from tl_course.models.pooling import LastWritten, Pool, written

ALPHABET = " '-,abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïñòóôõöøùúûüýßăąćęğıłńōœřśşșțůźżž"
PAD, UNKNOWN = 0, 1
DIGITS = 4


class Letters(nn.Module):
    """Code points to places in the reader's alphabet.

    In: integers (N, L), zeros after the last letter. Out: int64 (N, L); 0 is no letter, 1 one
    that is not in ``ALPHABET``. Raises ``BadInput`` for other shapes and types.
    """

    FIXED: ClassVar = {"kind": "letters", "alphabet": ALPHABET}

    def __init__(self):
        super().__init__()
        table = torch.full((max(map(ord, ALPHABET)) + 2,), UNKNOWN)
        table[[ord(letter) for letter in ALPHABET]] = torch.arange(len(ALPHABET)) + UNKNOWN + 1
        table[0] = PAD
        self.register_buffer("table", table, persistent=False)

    def settings(self) -> dict[str, object]:
        """None. Raises ``BadInput`` for a table that was changed."""
        if not torch.equal(self.table.cpu(), Letters().table):
            raise store.BadInput("these Letters", "their table was changed", "Make new ones")
        return {}

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        points = code_points(points, "a reader", 'Make them with number_words.codes(["trentadue"])')
        return self.table[points.long().clamp(0, len(self.table) - 1)]


def code_points(points: torch.Tensor, taker: str, cure: str) -> torch.Tensor:
    """Return ``points`` where they are texts, integers (N, letters). Raises ``BadInput``."""
    whole = isinstance(points, torch.Tensor) and points.ndim == 2 and points.dtype != torch.bool
    if not whole or points.is_floating_point():
        raise store.BadInput(
            f"texts as {tuple(getattr(points, 'shape', ())) or type(points).__name__}",
            f"{taker} takes code points, integers of shape (N, letters)",
            cure,
        )
    return points


class Memory(nn.Module):
    """Two LSTMs (Hochreiter and Schmidhuber 1997), one from each end of the text.

    In: letters (N, L, width), all zeros where there is none. Out: (N, L, 2 ``hidden``), zeros
    there too, so that a text gives the same however much is left empty behind it.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.there = nn.LSTM(width, hidden, batch_first=True)
        self.back = nn.LSTM(width, hidden, batch_first=True)

    def forward(self, letters: torch.Tensor) -> torch.Tensor:
        holds = written(letters).unsqueeze(-1)
        there, _ = self.there(letters)
        back, _ = self.back(_turned(letters, holds))
        return torch.cat([there, _turned(back, holds)], -1) * holds


def _turned(letters: torch.Tensor, holds: torch.Tensor) -> torch.Tensor:
    """Each text from its last letter to its first; what is empty stays behind it."""
    places = torch.arange(letters.shape[1], device=letters.device)
    places = (holds.sum(1) - 1 - places).remainder(max(letters.shape[1], 1))
    return letters.gather(1, places.unsqueeze(-1).expand_as(letters))


class Ends(Pool):
    """What each LSTM holds when it has read the whole text: (N, L, 2 h) to (N, 2 h)."""

    def forward(self, memory: torch.Tensor) -> torch.Tensor:
        there, _ = LastWritten()(memory).chunk(2, -1)
        _, back = memory[:, 0].chunk(2, -1)
        return torch.cat([there, back], -1)


class NumberReader(nn.Module):
    """Letters in, four digits out: 67,000 parameters.

    Stages: ``letters`` (an embedding), ``memory`` (two LSTMs), ``head`` (one linear layer on what
    they hold in the end). Input: int64 (N, L) from ``Letters``. Output: logits (N, 4, 10) for
    thousands, hundreds, tens and units.
    """

    def __init__(self, width: int = 48, hidden: int = 64):
        super().__init__()
        self.letters = nn.Embedding(len(ALPHABET) + 2, width, padding_idx=PAD)
        self.memory = Memory(width, hidden)
        self.ends = Ends()
        self.head = nn.Linear(2 * hidden, DIGITS * 10)
        self.digits = nn.Unflatten(1, (DIGITS, -1))

    def forward(self, letters: torch.Tensor) -> torch.Tensor:
        return self.digits(self.head(self.ends(self.memory(self.letters(letters)))))
