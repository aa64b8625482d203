"""Numbers below 10,000 written in words: real languages, and relatives of Spanish made on purpose.

A network reads the letters and says which number it is. ``tasks.load("numbers_italian")`` gives
one language as a ``Task``; ``make`` turns any way of writing numbers into one.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tl_course import store
from tl_course.tasks.task import Split, Task
from tl_course.tasks.text import codes as text_codes

if TYPE_CHECKING:
    import torch

NUMBERS = 10_000
LONGEST = 120  # letters; the longest real one here has 57
SIZES = (7000, 1000, 2000)  # train, val, test

# the library num2words writes them; its code for each language
LANGUAGES = {
    "italian": "it",
    "spanish": "es",
    "portuguese": "pt",
    "catalan": "ca",
    "french": "fr",
    "romanian": "ro",
    "english": "en",
    "german": "de",
    "dutch": "nl",
    "finnish": "fi",
    "turkish": "tr",
}

# digit → the digit whose Spanish word stands for it among the false friends; zero stays
MEANINGS = str.maketrans("123456789", "475982136")
# Caesar's cipher: every letter moves eleven places on
CIPHER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "lmnopqrstuvwxyzabcdefghijk")
# stems of Spanish numerals → invented ones; endings such as -enta and -ce stay, they are grammar
ROOTS = dict(
    root.split(":")
    for line in (
        "cero:wika",
        "uno:alo once:albce",
        "dos:lep dós:lép doce:lepce",
        "tres:faug trés:fáug trece:faugce trei:faugi",
        "cuatro:bulmo cuar:bulm cator:bulmir",
        "cinco:ragua cincu:ragu quinientos:ragihodros quin:ragi",
        "seis:pavu séis:pávu ses:pav",
        "siete:zyfra set:zyf",
        "ocho:jimba och:jimb",
        "nueve:glirke nov:glirk",
        "diez:vash dieci:vashi veint:skor",
        "cient:hodr cien:hod mil:porf",
    )
    for root in line.split()
)


def _enciphered(words: Sequence[str]) -> list[str]:
    bare = ["".join(c for c in unicodedata.normalize("NFD", w) if c.isascii()) for w in words]
    return [word.translate(CIPHER) for word in bare]


def _reversed(words: Sequence[str]) -> list[str]:
    return [" ".join(reversed(word.split())) for word in words]


def _invented(words: Sequence[str]) -> list[str]:
    stems = re.compile("|".join(sorted(ROOTS, key=len, reverse=True)))
    return [stems.sub(lambda stem: ROOTS[stem.group()], word) for word in words]


def _false_friends(words: Sequence[str]) -> list[str]:
    return [words[int(str(number).translate(MEANINGS))] for number in range(len(words))]


# what is taken away → how Spanish is rewritten; everything else stays Spanish
RELATIVES: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "spanish_enciphered": _enciphered,
    "spanish_reversed": _reversed,
    "spanish_invented": _invented,
    "spanish_false_friends": _false_friends,
}
NAMES = (*LANGUAGES, *RELATIVES)


@cache
def spell(language: str) -> tuple[str, ...]:
    """The numbers from 0 to 9,999 in words, in that order. Raises ``UnknownName``.

    ``language``: one of ``NAMES``.
    """
    if store.choose("language", language, NAMES) in RELATIVES:
        return tuple(RELATIVES[language](spell("spanish")))
    from num2words import num2words

    return tuple(num2words(number, lang=LANGUAGES[language]) for number in range(NUMBERS))


def digits(numbers: Sequence[int]) -> "torch.Tensor":
    """Thousands, hundreds, tens and units of each number: int64 (N, 4). 42 is 0 0 4 2."""
    import torch

    values = torch.as_tensor(numbers)
    return torch.stack([values // place % 10 for place in (1000, 100, 10, 1)], 1)


def codes(texts: Sequence[str], length: int | None = None) -> "torch.Tensor":
    """Texts as Unicode code points: int32 (N, ``length``), lower case, zeros after the last letter.

    ``length`` defaults to the longest text. Raises ``BadInput`` for what is not text, or too long.
    """
    listed = [folded(text) for text in _listed(texts)]
    longest = max(map(len, listed), default=0)
    most = LONGEST if length is None else length
    if longest > most:
        raise store.BadInput(
            f"a text of {longest} letters", f"a reader takes at most {most}", "Pass a shorter one"
        )
    return text_codes(listed, length)


def _listed(texts: Iterable[str]) -> list[str]:
    listed = None if isinstance(texts, str) or not isinstance(texts, Iterable) else [*texts]
    if listed is None or not all(isinstance(text, str) for text in listed):
        raise store.BadInput(
            f"texts as {type(texts).__name__}", "a list of texts is needed", 'Pass ["trentadue"]'
        )
    return listed


def folded(text: str) -> str:
    """``text`` as readers take it: lower case, accents composed, no space around it."""
    return unicodedata.normalize("NFC", text.strip().lower())


def make(name: str, words: Sequence[str] | Callable[[int], str]) -> Task:
    """A task from a way of writing numbers: 10,000 texts in order, or a function of the number.

    ``inputs``: code points, int32 (N, letters). ``labels``: digits, int64 (N, 4). The same 2,000
    numbers are the test, and the same 1,000 validation, in every language: a number kept for the
    test in Italian was never read in Spanish either. Raises ``BadInput`` for a text that is
    empty or stands for two numbers: nobody could read it.
    """
    if callable(words):
        words = [words(number) for number in range(NUMBERS)]
    words = [folded(text) for text in _listed(words)]
    if len(words) != NUMBERS:
        raise store.BadInput(
            f"language {name!r} with {len(words)} texts",
            f"it must write every number from 0 to {NUMBERS - 1}",
            "Pass a function of the number, or all of them in order",
        )
    inputs = codes(words)
    seen: dict[str, int] = {}
    for number, text in enumerate(words):
        if not text:
            raise store.BadInput(f"language {name!r}", f"{number} has no text", "Write something")
        if seen.setdefault(text, number) != number:
            raise store.BadInput(
                f"language {name!r}",
                f"{text!r} stands for {seen[text]} and for {number}",
                "Give every number a text of its own",
            )
    everything = Split(inputs, digits(range(NUMBERS)))
    order = np.random.default_rng(0).permutation(NUMBERS)
    train, val, test = map(everything.take, np.split(order, np.cumsum(SIZES)[:-1]))
    return Task(
        name,
        f"Numbers in {name.removeprefix('numbers_').replace('_', ' ').title()}",
        tuple("0123456789"),
        train,
        val,
        test,
        licence="facts of language; written by num2words (LGPL) where it is a real one",
        source="num2words",
        overlap="none: numbers kept for validation and test are the same in every language",
    )


@cache
def _known(language: str) -> dict[str, int]:
    return {_bare(text): number for number, text in enumerate(spell(language))}


def _bare(text: str) -> str:
    """Letters alone, without case, accents, spaces and hyphens."""
    split = unicodedata.normalize("NFD", text.lower())
    return "".join(letter for letter in split if letter.isalpha())


def lookup(text: str, language: str) -> int | None:
    """Which number ``text`` is in ``language``, or ``None`` for words that are no number in it.

    Case, accents and spaces do not matter. Raises ``BadInput`` for what no reader can take: an
    empty or very long text, another alphabet, figures, and, in Italian, numbers from 10,000 on;
    and ``UnknownName``.
    """
    (text,) = _listed([text])
    words, bare, shown = spell(language), _bare(text), text.strip()
    letters = len(shown)
    if letters > 40:
        shown = f"A text of {letters:,} letters"

    def refused(cause: str, example: int = 32) -> store.BadInput:
        return store.BadInput(shown or "An empty line", cause, f"Type {words[example]!r}")

    if not shown:
        raise refused("there is nothing to read")
    if letters > LONGEST:
        raise refused(f"the longest number here has {max(map(len, words))}")
    figures = re.sub(r"[\s.,'’]", "", text).lstrip("+-")
    number = int(figures) if figures.isascii() and figures.isdigit() else None
    if number is not None and number < NUMBERS and "-" not in text:
        raise refused("the readers take words", number)
    if number is not None or (language == "italian" and _beyond(bare)):
        raise refused("the readers know the numbers from 0 to 9,999", -1)
    strange = sorted({letter for letter in bare if not "a" <= letter <= "z" and letter not in "ıß"})
    if strange:
        raise refused(f"{', '.join(strange)}: no reader has seen such letters")
    if not bare:
        raise refused("there is no letter in it")
    return _known(language).get(bare)


def _beyond(bare: str) -> bool:
    """Whether it starts like an Italian number from 10,000 on: as ten thousands or more do."""
    count, thousands, _ = bare.partition("mila")
    many = thousands and _known("italian").get(count, 0) >= 10
    return bool(many or re.search("mili(on|ard)", bare))


def distance(first: str, second: str) -> float:
    """Edit distance of two texts as a share of the longer one, in [0, 1].

    The least number of letters to put in, take out or replace (Levenshtein 1966).
    """
    row = [*range(len(second) + 1)]
    for i, a in enumerate(first, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1] / max(len(first), len(second), 1)


def similarity(first: str, second: str) -> float:
    """``alike`` for two of ``NAMES``. Raises ``UnknownName``."""
    return alike(spell(first), spell(second))


def alike(first: Sequence[str], second: Sequence[str]) -> float:
    """How alike two languages write the same numbers, from 0 to 1; no network is asked.

    Both are 10,000 texts in order. One minus the mean ``distance`` of their words for 0 to 99,
    for the hundreds and for the thousands.
    """
    numbers = [*range(100), *range(100, 1000, 100), *range(1000, NUMBERS, 1000)]
    return 1 - sum(distance(first[n], second[n]) for n in numbers) / len(numbers)


def load(language: str) -> Task:
    """One of ``NAMES`` as a task."""
    return make(f"numbers_{language}", spell(language))
