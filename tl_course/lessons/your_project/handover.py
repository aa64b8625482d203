"""A page about a model for whoever gets it: what it was made of, how good it is, and its limits."""

import re
from collections.abc import Sequence

import tl_course
from tl_course import store
from tl_course.lessons.your_project.inspection import counts
from tl_course.lessons.your_project.recipe import Race


def card(race: Race, least: float, groups: str = "", title: str = "") -> str:
    """A model card (Mitchell et al. 2019, arXiv:1810.03993) in Markdown.

    ``least``: the confidence below which the model should say "I don't know". ``groups``: what was
    kept together when the pictures were divided, in words. Every number is taken from ``race``.
    Raises ``BadInput`` for ``least`` that is no number from 0, and where nothing has run.
    """
    least = store.number("least", least, least=0)
    task, best, scores = race.task, race.chosen(), race.test()
    low, high = race.interval(scores, "test")
    things = len(race.shares(scores, "test"))
    names = [*map(_plain, task.classes)]
    wrong = _confused(names, scores)
    doubt = f"- Below a confidence of {least:.2f}, chosen on validation, take it as: I don't know."
    if least > 1:
        doubt = "- No confidence promised enough right answers on validation."
    lines = [
        f"# {_plain(title or task.title)}",
        f"Tells {len(task.classes)} kinds of pictures apart: {', '.join(names)}.",
        "## How good it is",
        f"- On {scores.n} pictures of {things} things kept aside: {scores.accuracy:.1%} right, "
        f"95 % interval {low:.1%} to {high:.1%}; balanced over classes "
        f"{scores.balanced_accuracy:.1%}.",
        f"- Always naming the commonest class gives {race.guessing():.1%}.",
        f"- Most often confused: {wrong}.",
        doubt,
        "## What it was made of",
        *(f"- {line}" for line in _counted(task)),
        f"- Divided at random{f', {groups} kept together' if groups else ''}, seed {race.seed}.",
        "## How it was made",
        f"- {best.strategy} on {best.network}, {best.seconds:.0f} seconds of training, chosen on "
        f"validation from {len(race.entries)}: {', '.join(race.entries)}.",
        f"- Pictures are read upright, their middle square, {best.model.preprocess.size} pixels a "
        "side.",
        f"- Course version {tl_course.__version__}.",
        "## Limits",
        "- It knows these classes alone, and names one of them whatever it is shown.",
        "- The interval speaks of pictures like those above: the same places, cameras and seasons.",
        "- It was not tested for fairness or for safety; do not let it decide about people.",
    ]  # fmt: skip
    return "\n".join(f"\n{line}\n" if line.startswith("#") else line for line in lines).strip()


def _plain(text: str) -> str:
    """A text in one line, in which nothing is Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(text.split()))


def _counted(task) -> list[str]:
    table = counts(task)
    return [
        f"{_plain(str(name))}: {row.training} pictures to learn from, {row.validation} to choose "
        f"by, {row.test} to test"
        for name, row in table.iterrows()
    ]


def _confused(classes: Sequence[str], scores) -> str:
    pairs: dict[tuple[int, int], int] = {}
    for truth, answer in zip(scores.labels.tolist(), scores.answers.tolist(), strict=True):
        if truth != answer:
            pairs[truth, answer] = pairs.get((truth, answer), 0) + 1
    if not pairs:
        return "nothing in this test"
    (truth, answer), count = max(pairs.items(), key=lambda pair: pair[1])
    return f"{classes[truth]} taken for {classes[answer]} ({count} of {scores.n})"
