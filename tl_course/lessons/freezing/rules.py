"""The rules of lesson 04."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence import results
from tl_course.evidence.judging import by_task, counts, mean_paired, settled, share
from tl_course.evidence.verdicts import Verdict, compare, scores
from tl_course.lessons.freezing.recipe import PRETRAINED

if TYPE_CHECKING:
    import pandas

LESSON = "04_freezing"
HUNDREDS, FEW, THOUSANDS = 200, 25, 1000
MARGIN = 0.05  # accuracy
FAST = 5  # times
BETWEEN = PRETRAINED[1:-1]  # neither nothing frozen nor all but the head
PARTIAL, MOST = "frozen to layer2", "frozen to layer3"
AT_ONCE = "fine-tune at once"
POLICY = "features until they stop, then all"
HASTY = "features for one epoch, then all"


def quick_features_rule() -> Verdict:
    """freeze-1: is a head alone useful with 200 labels, and fast?

    Useful on a target where it beats a head on random features, and is less than five points
    behind training from scratch, both with the whole interval; fast where fine-tuning takes at
    least five times its seconds on every target. Holds where it is useful on all, does not where
    on none or not fast. The effect is head alone minus from scratch, the mean over targets.
    """
    frame = results.load("sweep_freezing")
    here = frame[frame.labels == HUNDREDS]
    seconds = here.groupby(["task", "strategy"]).seconds.mean().unstack()
    both = [store.choose("stored strategy", s, seconds) for s in ("fine-tuning", "head alone")]
    times = seconds[both[0]] / seconds[both[1]]
    yes, no, pairs = [], [], []
    for task in dict.fromkeys(frame.task):
        learned = compare(frame, task, HUNDREDS, "head alone", "head on random backbone").sign > 0
        found = compare(frame, task, HUNDREDS, "head alone", "from scratch")
        (yes if learned and found.low > -MARGIN else no).append(task)
        pairs.append([scores(frame, task, HUNDREDS, s) for s in ("head alone", "from scratch")])
    verdict, condition = share(yes, no, f"useful with {HUNDREDS} labels on {{}}", "on {}")
    condition += f"; {times.min():.1f} to {times.max():.1f} times as fast as fine-tuning"
    if times.min() < FAST:
        verdict = "does-not-hold"
    return settled(verdict, condition, mean_paired(pairs))


def better_from(frame: "pandas.DataFrame", task: str, first: str, second: str) -> int | None:
    """The fewest labels from which on ``first`` is better by every interval, or ``None``."""
    found = None
    for labels in reversed(counts(frame, task)):
        if compare(frame, task, labels, first, second).sign <= 0:
            break
        found = labels
    return found


def partial_rule() -> Verdict:
    """freeze-2: is partial fine-tuning more accurate than a head alone, and only from thousands?

    For each target, the fewest labels from which on training layer3 and layer4 too is better by
    every interval. Holds where that is so on all targets and only from 1,000 labels on; does not
    where it is never better; else it holds when one leaves out what was not found. The effect is
    the difference with the most labels measured, the mean over targets.
    """
    frame = results.load("sweep_freezing")
    starts, pairs = {}, []
    for task in dict.fromkeys(frame.task):
        starts[task] = better_from(frame, task, PARTIAL, "head alone")
        most = counts(frame, task)[-1]
        pairs.append([scores(frame, task, most, s) for s in (PARTIAL, "head alone")])
    yes = [f"{task} from {start:,} labels" for task, start in starts.items() if start]
    never = [task for task, start in starts.items() if not start]
    verdict, condition = share(yes, never, "more accurate on {}", "on {}")
    if yes:
        many = [task for task, start in starts.items() if start and start >= THOUSANDS]
        need = f"thousands needed on {', '.join(many)}" if many else "thousands needed nowhere"
        condition = f"{condition}; {need}"
        verdict = "holds" if len(many) == len(starts) else "holds-when"
    return settled(verdict, condition, mean_paired(pairs))


def full_rule() -> Verdict:
    """freeze-3: is training all weights best with many labels, and overfit with 25?

    Many are the most labels measured, on targets that have a thousand or more: best where the
    frozen depth that leads on validation is not ahead in the test by its interval. Overfit with 25
    labels where freezing up to layer3 is ahead by its interval. Holds where both are so on all
    targets, does not where neither is on any. The effect is all weights minus frozen to layer3
    with 25 labels, the mean over targets.
    """
    frame = results.load("sweep_freezing")
    best, beaten, over, fine, pairs = [], [], [], [], []
    for task in dict.fromkeys(frame.task):
        most = counts(frame, task)[-1]
        if most >= THOUSANDS:
            rival = leader(frame, task, most, PRETRAINED[1:])
            ahead = compare(frame, task, most, rival, "fine-tuning").sign > 0
            (beaten if ahead else best).append(f"{task} ({most:,})")
        found = compare(frame, task, FEW, "fine-tuning", MOST)
        (over if found.sign < 0 else fine).append(task)
        pairs.append([scores(frame, task, FEW, s) for s in ("fine-tuning", MOST)])
    halves = ("best with the most labels on", f"behind {MOST} with {FEW} labels on")
    texts = [
        [f"{half} {', '.join(on)}" for half, on in zip(halves, tasks, strict=True) if on]
        for tasks in ((best, over), (beaten, fine))
    ]
    yes, no = (
        [word.join(t)] if t else [] for word, t in zip((" and ", " or "), texts, strict=True)
    )
    verdict, condition = share(yes, no, "{}", "to be {}")
    return settled(verdict, condition, mean_paired(pairs))


def leader(frame: "pandas.DataFrame", task: str, labels: int, among: Sequence[str]) -> str:
    """The strategy among some that is best on validation, by its mean over seeds."""
    rows = frame[(frame.task == task) & (frame.labels == labels)]
    means = rows.groupby("strategy").val_accuracy.mean()
    return max(among, key=lambda depth: means[store.choose("stored depth", depth, means.index)])


def sweet_spot(frame: "pandas.DataFrame", task: str, labels: int) -> str:
    """The depth between the ends that is best on validation, by its mean over seeds."""
    return leader(frame, task, labels, BETWEEN)


def found_by_experiment(frame: "pandas.DataFrame", task: str, labels: int) -> "pandas.Series":
    """Balanced test accuracy of the depth that each seed would choose on its own validation.

    Between depths that are level there the one with more frozen is taken. Raises ``UnknownName``
    where a depth has no stored run.
    """
    import pandas

    tested = pandas.DataFrame({s: scores(frame, task, labels, s) for s in PRETRAINED[::-1]})
    rows = frame[(frame.task == task) & (frame.labels == labels)]
    found = rows.pivot(index="seed", columns="strategy", values="val_accuracy")[[*tested]]
    picks = found.idxmax(axis=1)
    return tested.apply(lambda row: row[picks[row.name]], axis=1)


def sweet_spot_rule() -> Verdict:
    """freeze-4: is a depth between the ends better than both, and worth looking for?

    In every cell (target and labels) the depth between the ends that is best on validation is
    compared, on the test, with nothing frozen and with the head alone. A cell has a sweet spot
    where both intervals lie above zero. Holds where all cells have one, does not where none has.
    The effect is what looking brings: the depth each seed chooses on validation minus always
    training everything, the mean over cells.
    """
    frame = results.load("sweep_freezing")
    cells = [(task, n) for task in dict.fromkeys(frame.task) for n in counts(frame, task)]
    ends = {"too little": "fine-tuning", "too much": "head alone"}
    costs = {
        word: [c for c in cells if compare(frame, *c, sweet_spot(frame, *c), end).sign > 0]
        for word, end in ends.items()
    }
    yes = [cell for cell in cells if all(cell in costly for costly in costs.values())]
    no = [cell for cell in cells if cell not in yes]
    verdict, _ = share(by_task(yes), by_task(no), "", "")
    found = f": {', '.join(by_task(yes))}" if yes else ""
    many = ", ".join(f"{word} costs in {len(c)}" for word, c in costs.items())
    condition = f"in {len(yes)} of {len(cells)} pairs of target and labels{found}; freezing {many}"
    pairs = [[found_by_experiment(frame, *c), scores(frame, *c, "fine-tuning")] for c in cells]
    return settled(verdict, condition, mean_paired(pairs))


def policy_rule() -> Verdict:
    """freeze-5: at equal compute, is it better to fine-tune only once features stop improving?

    Against fine-tuning at once, in every cell of three targets and two counts of labels. Holds
    where every interval lies above zero, does not where none does. The condition also says in how
    many cells waiting beats switching after one epoch, and fine-tuning beats the features. The
    effect is the difference to fine-tuning at once, the mean over cells.
    """
    frame = results.load("sweep_policies")
    cells = [*frame[["task", "labels"]].drop_duplicates().itertuples(index=False, name=None)]
    against = {other: [] for other in (AT_ONCE, HASTY, "features only")}
    for other, signs in against.items():
        signs += [compare(frame, *cell, POLICY, other).sign for cell in cells]
    ahead = [c for c, sign in zip(cells, against[AT_ONCE], strict=True) if sign > 0]
    rest = [c for c, sign in zip(cells, against[AT_ONCE], strict=True) if sign <= 0]
    behind = sum(sign < 0 for sign in against[AT_ONCE])
    verdict, condition = share(
        by_task(ahead), by_task(rest), "ahead of fine-tuning at once on {}", "on {}"
    )
    waits = sum(sign > 0 for sign in against[HASTY])
    tunes = sum(sign > 0 for sign in against["features only"])
    condition = (
        f"{condition}; behind it in {behind}, ahead of switching after one epoch in {waits}, "
        f"of features alone in {tunes} of {len(cells)} cells"
    )
    pairs = [[scores(frame, *cell, s) for s in (POLICY, AT_ONCE)] for cell in cells]
    return settled(verdict, condition, mean_paired(pairs))


RULES = {
    "freeze-1": quick_features_rule,
    "freeze-2": partial_rule,
    "freeze-3": full_rule,
    "freeze-4": sweet_spot_rule,
    "freeze-5": policy_rule,
}
