"""Rules of lesson 08: when borrowing hurts."""

from tl_course.evidence.intervals import Interval, mean_paired, paired
from tl_course.evidence.results import Runs, gains, stored
from tl_course.evidence.verdicts import Verdict, by_task, settled, share

LESSON = "08_negative_transfer"
NEAR = ("materials", "leaves", "satellite")  # pictures of things, in colour
FAR = ("digits", "spoken_digits", "pneumonia", "text_pictures")
PHOTOGRAPHS = {"source": "photographs", "strategy": "fine-tuned"}
SCRATCH = {"source": "nothing", "strategy": "fine-tuned"}
AUDIO, XRAYS, TEXT = "spoken_digits", "pneumonia", "text_pictures"
EXAMPLE = "satellite"  # the document's own


def _cells(runs: Runs, *tasks: str) -> list[dict]:
    """Every count of labels of every task, rising."""
    return [{"task": task, "labels": count} for task in tasks for count in runs.counts(task)]


def _gaining(runs: Runs, *tasks: str) -> list[dict]:
    """The cells in which photographs beat from scratch."""
    return [
        cell for cell in _cells(runs, *tasks) if runs.compare(PHOTOGRAPHS, SCRATCH, **cell).sign > 0
    ]


def hurt_rule() -> Verdict:
    """neg-1: every source, all weights fine-tuned, against from scratch; and photographs of the
    earth from above, the document's example.

    A pair does harm where its interval lies below zero with a confidence that allows for the
    number of pairs looked at (Bonferroni). Holds where some do and the example is among them,
    holds when the source is one of those where only others do, does not hold where none does.
    The effect is that of the worst pair, with its plain interval.
    """
    runs = stored("sweep_suspects")
    tuned = runs.rows(strategy="fine-tuned")
    plain = gains(tuned)
    strict = gains(tuned, 1 - 0.05 / len(plain))
    guilty = strict[strict.high < 0].sort_values("gain")
    names = [f"{g.source} to {g.task} ({g.labels})" for g in guilty.itertuples()]
    example = [runs.compare(PHOTOGRAPHS, SCRATCH, **cell) for cell in _cells(runs, EXAMPLE)]
    worst = plain.loc[plain.gain.idxmin()]
    found = Interval(worst.gain, worst.low, worst.high, int(worst.seeds))
    signs = {-1: "loses", 0: "cannot be told", 1: "gains"}
    said = ", ".join(f"{signs[each.sign]} {100 * each.effect:+.1f}" for each in example)
    verdict = "holds" if any(each.sign < 0 for each in example) else "holds-when"
    if guilty.empty:
        verdict = "does-not-hold"
    condition = f"{len(guilty)} of {len(plain)} pairs do harm: {', '.join(names) or 'none'}"
    return settled(verdict, condition, found, f"{EXAMPLE}, the document's example, {said}")


def fading_rule() -> Verdict:
    """neg-2: what photographs bring to targets that are alike (``NEAR``) and to others (``FAR``).

    Holds where the mean gain is smaller far away with few and with many labels, holds when with
    one of them, does not otherwise. The condition names what far targets still gain.
    """
    runs = stored("sweep_suspects")
    shown, sides = [], []
    for place, name in enumerate(("few labels", "many labels")):
        side = []
        for tasks in (NEAR, FAR):
            cells = [_cells(runs, task)[place] for task in tasks]
            gaps = (runs.cell(**PHOTOGRAPHS, **c) - runs.cell(**SCRATCH, **c) for c in cells)
            side.append(sum(gaps) / len(cells))
        sides.append(side)
        shown.append((name, paired(*side[0].align(side[1])).sign > 0))
    still = ", ".join(by_task(_gaining(runs, *FAR))) or "none"
    fades = share(shown, "with {}", "with {}")
    return settled(*fades, mean_paired(sides), f"far targets that gain all the same: {still}")


def xray_rule() -> Verdict:
    """neg-3: photographs for chest X-rays, everything fine-tuned or the head alone.

    Works where the start that leads on validation beats from scratch with few and with many
    labels; holds when with one of them. The condition says how the head on random weights does.
    """
    runs = stored("sweep_suspects")
    shown, pairs, leaders = [], [], []
    cells = _cells(runs, XRAYS)
    for cell in cells:
        way = runs.leader("strategy", source="photographs", **cell)
        pair = [runs.cell(**start, **cell) for start in (PHOTOGRAPHS | {"strategy": way}, SCRATCH)]
        pairs.append(pair)
        leaders.append(f"{way} leads with {cell['labels']}")
        shown.append((str(cell["labels"]), paired(*pair[0].align(pair[1])).sign > 0))
    frozen = [cell | {"strategy": "frozen"} for cell in cells]
    random = runs.mean({"source": "photographs"}, {"source": "nothing"}, frozen)
    works = share(shown, "with {} X-rays", "with {}")
    control = f"head alone against random weights {random}"
    return settled(*works, mean_paired(pairs), ", ".join(leaders), control)


def audio_and_text_rule() -> Verdict:
    """neg-4: photographs for pictures of sound ("maybe works") and of text ("won't work").

    Sound works where fine-tuning gains with few or many labels. Text does not where fine-tuning
    gains nothing over from scratch; and whether either reads is seen beside counting words on the
    same sentences. Holds where both are so, holds when one is, does not otherwise. The effect is
    photographs minus counted words with many labels.
    """
    runs = stored("sweep_suspects")
    audio, text = (
        ", ".join(str(cell["labels"]) for cell in _gaining(runs, task)) for task in (AUDIO, TEXT)
    )
    counted = {"source": "words counted", "strategy": "frozen"}
    words = runs.compare(PHOTOGRAPHS, counted, **_cells(runs, TEXT)[-1])
    parts = [
        f"sound gains with {audio} labels" if audio else "sound gains nothing",
        f"text gains with {text}" if text else "text gains nothing",
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
