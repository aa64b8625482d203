"""The checks of lesson 01."""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from tl_course import evidence, models, store, tasks, train
from tl_course.tasks import number_words

SEEDS, LABELS, RATES = range(5), 300, (1e-3, 4e-3, 1.5e-2)


def check_language(words: Callable[[int], str]) -> str:
    """Whether ``words`` writes every number below 10,000 so that a reader could learn it.

    Returns one line: praise, with how much like Italian the language is, or what is wrong.
    """
    try:
        number_words.make("yours", words)
        texts = tuple(words(number) for number in range(number_words.NUMBERS))
    except store.CourseError as error:
        return f"Not yet: {error}"
    except Exception as error:  # the learner's own code
        return f"Not yet: your function stops with {type(error).__name__}: {error}."
    for name in number_words.NAMES:
        same = sum(a == b for a, b in zip(texts, number_words.spell(name), strict=True))
        if same > 0.9 * len(texts):
            return f"Not yet: this is {name.replace('_', ' ')}, which the course has already."
    strange = sorted({c for text in texts for c in text.lower()} - set(models.ALPHABET))
    if strange:
        return (
            f"Not yet: no reader has a place for {' '.join(strange[:8])}: they would all look the "
            "same to it. Write your language in Latin letters."
        )
    alike = number_words.alike(texts, number_words.spell("italian"))
    return f"Right: 10,000 texts, each its own. Likeness to Italian: {alike:.2f}."


def check_hurts(source: nn.Module, words: Callable[[int], str]) -> str:
    """Whether starting from ``source``, which reads ``words``, is worse than from nothing.

    Trains five times on 300 Italian numbers, each with the three learning rates of the stored
    runs, which began from nothing with the same numbers. Takes about 15 seconds.
    """
    if not isinstance(source, models.NumberReader):
        return f"Not yet: this is a {type(source).__name__}, not a reader of numbers."
    own = train.evaluate(source, number_words.make("yours", words).test).accuracy
    if own < 0.9:
        return (
            f"Not yet: the source reads {own:.0%} of its own language. What it has not learned "
            "cannot mislead. Train it longer, or make the language one that can be read."
        )
    italian = tasks.load("numbers_italian")
    found = []
    for seed in SEEDS:
        few = italian.few(LABELS, seed)
        rows = evidence.tune(partial(copy.deepcopy, source), few, RATES, 12, seed)
        found += [row["test_accuracy"] for row in rows if "test_accuracy" in row]
    stored = evidence.chosen(evidence.load("sweep_analogy"))
    stored = stored[(stored.strategy == "nothing") & (stored.labels == LABELS)]
    nothing = stored.set_index("seed").test_accuracy.loc[list(SEEDS)]
    against = evidence.paired(found, nothing)
    if against.sign < 0:
        return f"Right: it hurts. Against nothing: {against}."
    if against.sign > 0:
        return f"Not yet: it helps. Against nothing: {against}. What do the two still share?"
    return f"Not yet: five runs cannot tell. Against nothing: {against}. Mislead it more."


def check_cipher(model: nn.Module) -> str:
    """Whether the enciphered reader was taught plain Spanish through its letters alone."""
    if not isinstance(model, models.NumberReader):
        return f"Not yet: this is a {type(model).__name__}, not a reader of numbers."
    source = models.load("reader_spanish_enciphered").state_dict()
    moved = {
        name.split(".")[0]
        for name, value in model.state_dict().items()
        if not torch.equal(source[name], value.cpu())
    }
    if not moved:
        return "Not yet: no weight has moved. It still reads the cipher alone. Train it."
    if moved - {"letters"}:
        return (
            f"Not yet: {' and '.join(sorted(moved - {'letters'}))} moved too, so what it knew may "
            "be overwritten. Load it again and freeze them first: surgery.freeze."
        )
    share = train.evaluate(model, tasks.load("numbers_spanish").test).accuracy
    if share < 0.9:
        return (
            f"Not yet: only letters moved, as they should, but it reads {share:.0%} of new "
            "Spanish numbers. A letter's vector has a long way to go: try a far higher rate."
        )
    return (
        f"Right: it reads {share:.0%} of new Spanish numbers, and nothing but the vectors of the "
        "letters has changed. It knew Spanish all along."
    )
