"""The checks of lesson 01."""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from tl_course import evidence, models, tasks, train
from tl_course.practice.patience import not_a_reader, patient
from tl_course.tasks import number_words

SEEDS, LABELS, RATES = range(5), 300, (1e-3, 4e-3, 1.5e-2)


@patient
def check_language(words: Callable[[int], str]) -> str:
    """Whether ``words`` writes every number below 10,000 so that a reader could tell them apart.

    Returns one line: praise, with how much like Italian the language is, or what is wrong.
    """
    if not callable(words):
        return f"Not yet: this is {type(words).__name__}, not a function of the number."
    texts = [words(number) for number in range(number_words.NUMBERS)]
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            return f"Not yet: your function returns {text!r} for {number}, which is not a text."
    number_words.make("yours", texts)  # raises for texts that are empty, too long or not distinct
    texts = [number_words.folded(text) for text in texts]
    for name in number_words.NAMES:
        same = sum(a == b for a, b in zip(texts, number_words.spell(name), strict=True))
        if same > 0.9 * len(texts):
            return f"Not yet: this is {name.replace('_', ' ')}, which the course has already."
    places = models.Letters()(number_words.codes(texts))
    if len(places.unique(dim=0)) < len(texts):
        strange = sorted({letter for text in texts for letter in text} - set(models.ALPHABET))
        return (
            f"Not yet: a reader has one place for all of {' '.join(strange[:8])}, and cannot tell "
            "some of your numbers apart. Write these letters as others."
        )
    alike = number_words.alike(texts, number_words.spell("italian"))
    return f"Right: 10,000 texts, each its own. Likeness to Italian: {alike:.2f}."


@patient
def check_hurts(source: nn.Module, words: Callable[[int], str]) -> str:
    """Whether starting from ``source``, which reads ``words``, is worse than from nothing.

    Trains five times on 300 Italian numbers, each with the three learning rates of the stored
    runs, which began from nothing with the same numbers. Takes about 15 seconds.
    """
    if fault := not_a_reader(source):
        return fault
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


@patient
def check_cipher(model: nn.Module) -> str:
    """Whether the enciphered reader was taught plain Spanish through its letters alone."""
    if fault := not_a_reader(model):
        return fault
    source, state = models.load("reader_spanish_enciphered").state_dict(), model.state_dict()
    if {n: w.shape for n, w in source.items()} != {n: w.shape for n, w in state.items()}:
        return "Not yet: its weights are not those of the enciphered reader. Load it again."
    moved = {n.split(".")[0] for n, w in state.items() if not torch.equal(source[n], w.cpu())}
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
