"""Rules of lesson 08: when borrowing hurts."""

from typing import TYPE_CHECKING

from tl_course.evidence import results
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.rules.shared import by_task, mean_paired, settled, share
from tl_course.evidence.suspects import gains
from tl_course.evidence.verdicts import Verdict

if TYPE_CHECKING:
    import pandas

LESSON = "08_negative_transfer"
NEAR = ("materials", "leaves", "satellite")  # pictures of things, in colour
FAR = ("digits", "spoken_digits", "pneumonia", "text_pictures")
AUDIO, XRAYS, TEXT = "spoken_digits", "pneumonia", "text_pictures"


def accuracies(
    frame: "pandas.DataFrame", source: str, task: str, labels: int, strategy: str = "fine-tuned"
) -> "pandas.Series":
    """Balanced test accuracy in [0, 1] of one cell of ``sweep_suspects``, by seed."""
    rows = frame[(frame.source == source) & (frame.task == task) & (frame.labels == labels)]
    return rows[rows.strategy == strategy].set_index("seed").test_balanced.sort_index()


def gain(
    frame: "pandas.DataFrame", task: str, labels: int, source: str = "photographs"
) -> Interval:
    """What ``source``, fine-tuned, brings over from scratch in one cell."""
    found = accuracies(frame, source, task, labels)
    return paired(*found.align(accuracies(frame, "nothing", task, labels)))


def counts(frame: "pandas.DataFrame", task: str) -> list[int]:
    """The few and the many labels of a task."""
    return sorted(frame[frame.task == task].labels.unique().tolist())


def hurt_rule() -> Verdict:
    """neg-1: every source, all weights fine-tuned, against from scratch; and photographs of the
    earth from above, the document's example.

    A pair does harm where its interval lies below zero with a confidence that allows for the
    number of pairs looked at (Bonferroni). Holds where some do and the example is among them,
    holds when the source is one of those where only others do, does not hold where none does.
    The effect is that of the worst pair, with its plain interval.
    """
    frame = results.load("sweep_suspects")
    tuned = gains(frame)
    tuned = tuned[tuned.strategy == "fine-tuned"]
    strict = gains(frame, 1 - 0.05 / len(tuned))
    strict = strict[strict.strategy == "fine-tuned"]
    guilty = strict[strict.high < 0].sort_values("gain")
    names = [f"{g.source} to {g.task} ({g.labels})" for g in guilty.itertuples()]
    example = [gain(frame, "satellite", labels) for labels in counts(frame, "satellite")]
    worst = tuned.loc[tuned.gain.idxmin()]
    found = Interval(worst.gain, worst.low, worst.high, int(worst.seeds))
    signs = {-1: "loses", 0: "cannot be told", 1: "gains"}
    said = ", ".join(f"{signs[each.sign]} {100 * each.effect:+.1f}" for each in example)
    condition = f"{len(guilty)} of {len(tuned)} pairs do harm: {', '.join(names) or 'none'}; "
    condition += f"satellite, the document's example, {said}"
    if guilty.empty:
        return settled("neg-1", "does-not-hold", condition, found, LESSON)
    verdict = "holds" if any(each.sign < 0 for each in example) else "holds-when"
    return settled("neg-1", verdict, condition, found, LESSON)


def fading_rule() -> Verdict:
    """neg-2: what photographs bring to targets that are alike (``NEAR``) and to others (``FAR``).

    Holds where the mean gain is smaller far away with few and with many labels, holds when with
    one of them, does not otherwise. The condition names what far targets still gain.
    """
    frame = results.load("sweep_suspects")
    sides = {}
    for index, name in enumerate(("few labels", "many labels")):
        sides[name] = [
            sum(
                accuracies(frame, "photographs", task, counts(frame, task)[index])
                - accuracies(frame, "nothing", task, counts(frame, task)[index])
                for task in tasks
            )
            / len(tasks)
            for tasks in (NEAR, FAR)
        ]
    yes = [name for name, pair in sides.items() if paired(*pair[0].align(pair[1])).sign > 0]
    verdict, condition = share(yes, [n for n in sides if n not in yes], "with {}", "with {}")
    still = by_task(
        (task, labels)
        for task in FAR
        for labels in counts(frame, task)
        if gain(frame, task, labels).sign > 0
    )
    condition += f"; far targets that gain all the same: {', '.join(still) or 'none'}"
    return settled("neg-2", verdict, condition, mean_paired(sides.values()), LESSON)


def xray_rule() -> Verdict:
    """neg-3: photographs for chest X-rays, everything fine-tuned or the head alone.

    Works where the start that leads on validation beats from scratch with few and with many
    labels; holds when with one of them. The condition says how the head on random weights does.
    """
    frame = results.load("sweep_suspects")
    yes, no, pairs, leaders = [], [], [], []
    for labels in counts(frame, XRAYS):
        cell = frame[(frame.task == XRAYS) & (frame.labels == labels)]
        starts = cell[cell.source == "photographs"].groupby("strategy")
        leader = starts.val_accuracy.mean().idxmax()
        pair = (
            accuracies(frame, "photographs", XRAYS, labels, leader),
            accuracies(frame, "nothing", XRAYS, labels),
        )
        found = paired(*pair[0].align(pair[1]))
        pairs.append(pair)
        leaders.append(f"{leader} leads with {labels}")
        (yes if found.sign > 0 else no).append(str(labels))
    verdict, condition = share(yes, no, "with {} X-rays", "with {}")
    random = mean_paired(
        (
            accuracies(frame, "photographs", XRAYS, labels, "frozen"),
            accuracies(frame, "nothing", XRAYS, labels, "frozen"),
        )
        for labels in counts(frame, XRAYS)
    )
    condition += f"; {', '.join(leaders)}; head alone against random weights {random}"
    return settled("neg-3", verdict, condition, mean_paired(pairs), LESSON)


def audio_and_text_rule() -> Verdict:
    """neg-4: photographs for pictures of sound ("maybe works") and of text ("won't work").

    Sound works where fine-tuning gains with few or many labels. Text does not where fine-tuning
    gains nothing over from scratch; and whether either reads is seen beside counting words on the
    same sentences. Holds where both are so, holds when one is, does not otherwise. The effect is
    photographs minus counted words with many labels.
    """
    frame = results.load("sweep_suspects")
    audio = [n for n in counts(frame, AUDIO) if gain(frame, AUDIO, n).sign > 0]
    text = [n for n in counts(frame, TEXT) if gain(frame, TEXT, n).sign > 0]
    many = counts(frame, TEXT)[-1]
    words = paired(
        *accuracies(frame, "photographs", TEXT, many).align(
            accuracies(frame, "words counted", TEXT, many, "frozen")
        )
    )
    parts = [
        f"sound gains with {', '.join(map(str, audio))} labels" if audio else "sound gains nothing",
        f"text gains with {', '.join(map(str, text))}" if text else "text gains nothing",
        f"reading words beats pictures of text: {words}"
        if words.sign < 0
        else f"counting words is no better: {words}",
    ]
    verdict = ("does-not-hold", "holds-when", "holds")[bool(audio) + (not text)]
    return settled("neg-4", verdict, "; ".join(parts), words, LESSON)
