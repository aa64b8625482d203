"""The checks of lesson 01: a language, a source that misleads, a cipher."""

import copy
from collections.abc import Callable, Sequence
from functools import partial

from tl_course import evidence, models, tasks, train
from tl_course.evidence.results import stored
from tl_course.practice.grading import NotYet, graded, moved
from tl_course.tasks import number_words

SEEDS, LABELS, RATES = range(5), 300, (1e-3, 4e-3, 1.5e-2)


@graded
def check_language(words: Callable[[int], str]) -> str:
    """Whether ``words`` writes every number below 10,000 so that a reader could tell them apart.

    The praise says how much like Italian the language is.
    """
    texts = [words(number) for number in range(number_words.NUMBERS)]
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise NotYet(f"your function returns {text!r} for {number}, which is not a text.")
    number_words.make("yours", texts)  # raises for texts that are empty, too long or not distinct
    texts = [number_words.folded(text) for text in texts]
    for name in number_words.NAMES:
        same = sum(a == b for a, b in zip(texts, number_words.spell(name), strict=True))
        if same > 0.9 * len(texts):
            raise NotYet(f"this is {name.replace('_', ' ')}, which the course has already.")
    places = models.Letters()(number_words.codes(texts))
    if len(places.unique(dim=0)) < len(texts):
        strange = sorted(set("".join(texts)) - set(models.ALPHABET))
        raise NotYet(
            f"a reader has one place for all of {' '.join(strange[:8])}, and cannot tell some of "
            "your numbers apart. Write these letters as others."
        )
    alike = number_words.alike(texts, number_words.spell("italian"))
    return f"10,000 texts, each its own. Likeness to Italian: {alike:.2f}."


@graded
def check_hurts(source: models.NumberReader, words: Callable[[int], str] | Sequence[str]) -> str:
    """Whether starting from ``source``, which reads ``words``, is worse than from nothing.

    Trains five times on 300 Italian numbers, each with the three learning rates of the stored
    runs, which began from nothing with the same numbers. Takes about 15 seconds.
    """
    own = train.evaluate(source, number_words.make("yours", words).test).accuracy
    if own < 0.9:
        raise NotYet(
            f"the source reads {own:.0%} of its own language. What it has not learned cannot "
            "mislead. Train it longer, or make the language one that can be read."
        )
    italian = tasks.load("numbers_italian")
    found = []
    for seed in SEEDS:
        few = italian.few(LABELS, seed)
        rows = evidence.tune(partial(copy.deepcopy, source), few, RATES, 12, seed)
        found += [row["test_accuracy"] for row in rows if "test_accuracy" in row]
    nothing = stored("sweep_analogy").cell("test_accuracy", strategy="nothing", labels=LABELS)
    against = evidence.paired(found, nothing.loc[list(SEEDS)])
    if against.sign < 0:
        return f"it hurts. Against nothing: {against}."
    if against.sign > 0:
        raise NotYet(f"it helps. Against nothing: {against}. What do the two still share?")
    raise NotYet(f"five runs cannot tell. Against nothing: {against}. Mislead it more.")


@graded
def check_cipher(model: models.NumberReader) -> str:
    """Whether the enciphered reader was taught plain Spanish through its letters alone."""
    source, state = models.load("reader_spanish_enciphered").state_dict(), model.state_dict()
    if {n: w.shape for n, w in source.items()} != {n: w.shape for n, w in state.items()}:
        raise NotYet("its weights are not those of the enciphered reader. Load it again.")
    stages = {name.split(".")[0] for name in moved(source, state)}
    if not stages:
        raise NotYet("no weight has moved. It still reads the cipher alone. Train it.")
    if others := sorted(stages - {"letters"}):
        raise NotYet(
            f"{' and '.join(others)} moved too, so what it knew may be overwritten. Load it again "
            "and freeze them first: surgery.freeze."
        )
    share = train.evaluate(model, tasks.load("numbers_spanish").test).accuracy
    if share < 0.9:
        raise NotYet(
            f"only letters moved, as they should, but it reads {share:.0%} of new Spanish numbers. "
            "A letter's vector has a long way to go: try a far higher rate."
        )
    return (
        f"it reads {share:.0%} of new Spanish numbers, and nothing but the vectors of the letters "
        "has changed. It knew Spanish all along."
    )
