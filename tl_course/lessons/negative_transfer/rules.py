"""Rules of lesson 08: when borrowing hurts."""

from typing import TYPE_CHECKING

from tl_course.evidence import results
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.judging import by_task, counts, mean_paired, settled, share
from tl_course.evidence.verdicts import Verdict, compare, gains, scores

if TYPE_CHECKING:
    import pandas

LESSON = "08_negative_transfer"
NEAR = ("materials", "leaves", "satellite")  # pictures of things, in colour
FAR = ("digits", "spoken_digits", "pneumonia", "text_pictures")
PHOTOGRAPHS, SCRATCH = "photographs, fine-tuned", "nothing, fine-tuned"
AUDIO, XRAYS, TEXT = "spoken_digits", "pneumonia", "text_pictures"
EXAMPLE = "satellite"  # the document's own


def _runs() -> "pandas.DataFrame":
    """The stored runs; a strategy is a source and how it was trained: "noise, frozen"."""
    frame = results.load("sweep_suspects")
    return frame.assign(strategy=frame.source + ", " + frame.strategy)


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
    runs = _runs()
    example = [
        compare(runs, EXAMPLE, labels, PHOTOGRAPHS, SCRATCH) for labels in counts(runs, EXAMPLE)
    ]
    worst = tuned.loc[tuned.gain.idxmin()]
    found = Interval(worst.gain, worst.low, worst.high, int(worst.seeds))
    signs = {-1: "loses", 0: "cannot be told", 1: "gains"}
    said = ", ".join(f"{signs[each.sign]} {100 * each.effect:+.1f}" for each in example)
    condition = f"{len(guilty)} of {len(tuned)} pairs do harm: {', '.join(names) or 'none'}; "
    condition += f"{EXAMPLE}, the document's example, {said}"
    if guilty.empty:
        return settled("does-not-hold", condition, found)
    verdict = "holds" if any(each.sign < 0 for each in example) else "holds-when"
    return settled(verdict, condition, found)


def fading_rule() -> Verdict:
    """neg-2: what photographs bring to targets that are alike (``NEAR``) and to others (``FAR``).

    Holds where the mean gain is smaller far away with few and with many labels, holds when with
    one of them, does not otherwise. The condition names what far targets still gain.
    """
    frame = _runs()
    sides = {}
    for index, name in enumerate(("few labels", "many labels")):
        sides[name] = [
            sum(
                scores(frame, task, counts(frame, task)[index], PHOTOGRAPHS)
                - scores(frame, task, counts(frame, task)[index], SCRATCH)
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
        if compare(frame, task, labels, PHOTOGRAPHS, SCRATCH).sign > 0
    )
    condition += f"; far targets that gain all the same: {', '.join(still) or 'none'}"
    return settled(verdict, condition, mean_paired(sides.values()))


def xray_rule() -> Verdict:
    """neg-3: photographs for chest X-rays, everything fine-tuned or the head alone.

    Works where the start that leads on validation beats from scratch with few and with many
    labels; holds when with one of them. The condition says how the head on random weights does.
    """
    frame = _runs()
    yes, no, pairs, leaders = [], [], [], []
    for labels in counts(frame, XRAYS):
        cell = frame[(frame.task == XRAYS) & (frame.labels == labels)]
        starts = cell[cell.source == "photographs"].groupby("strategy")
        leader = starts.val_accuracy.mean().idxmax()
        pair = [scores(frame, XRAYS, labels, start) for start in (leader, SCRATCH)]
        pairs.append(pair)
        leaders.append(f"{leader.rpartition(', ')[2]} leads with {labels}")
        (yes if paired(*pair[0].align(pair[1])).sign > 0 else no).append(str(labels))
    verdict, condition = share(yes, no, "with {} X-rays", "with {}")
    random = mean_paired(
        [scores(frame, XRAYS, labels, f"{source}, frozen") for source in ("photographs", "nothing")]
        for labels in counts(frame, XRAYS)
    )
    condition += f"; {', '.join(leaders)}; head alone against random weights {random}"
    return settled(verdict, condition, mean_paired(pairs))


def audio_and_text_rule() -> Verdict:
    """neg-4: photographs for pictures of sound ("maybe works") and of text ("won't work").

    Sound works where fine-tuning gains with few or many labels. Text does not where fine-tuning
    gains nothing over from scratch; and whether either reads is seen beside counting words on the
    same sentences. Holds where both are so, holds when one is, does not otherwise. The effect is
    photographs minus counted words with many labels.
    """
    frame = _runs()
    audio, text = (
        [n for n in counts(frame, task) if compare(frame, task, n, PHOTOGRAPHS, SCRATCH).sign > 0]
        for task in (AUDIO, TEXT)
    )
    many = counts(frame, TEXT)[-1]
    words = compare(frame, TEXT, many, PHOTOGRAPHS, "words counted, frozen")
    parts = [
        f"sound gains with {', '.join(map(str, audio))} labels" if audio else "sound gains nothing",
        f"text gains with {', '.join(map(str, text))}" if text else "text gains nothing",
        f"reading words beats pictures of text: {words}"
        if words.sign < 0
        else f"counting words is no better: {words}",
    ]
    verdict = ("does-not-hold", "holds-when", "holds")[bool(audio) + (not text)]
    return settled(verdict, "; ".join(parts), words)


RULES = {
    "neg-1": hurt_rule,
    "neg-2": fading_rule,
    "neg-3": xray_rule,
    "neg-4": audio_and_text_rule,
}
