"""A race of strategies on one's own task: within a budget, chosen on validation, tested once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from tl_course import evidence, features, models, store, surgery, train
from tl_course.lessons.your_project.inspection import numbered
from tl_course.tasks import Task
from tl_course.train import Scores

if TYPE_CHECKING:
    import pandas

HEAD, ALL, SCRATCH = "head alone", "fine-tuning", "from scratch"
# for each network: up to which stage it is frozen in part, and the rate of its pretrained weights
NETWORKS = {"lite0": ("block6", 3e-4), "resnet10": ("layer3", 1e-3)}
FRESH = 1e-3  # the rate from scratch
LONGER = 4  # times as many epochs from scratch, which has more to learn
CHANCE = 0.05  # two entries whose difference luck gives more often than this are level


@dataclass(frozen=True)
class Entry:
    """One strategy that has run. ``seconds`` from pictures in memory to a model that answers."""

    network: str
    strategy: str
    seconds: float
    val: Scores
    model: nn.Module

    @property
    def name(self) -> str:
        return f"{self.strategy}, {self.network}"


class Race:
    """Strategies on one ``task``, ``seconds`` for all of them together.

    ``groups`` tells from a file's name what it shows, as in ``tasks.folder``: shots of one thing
    are one witness, not several, when models are compared and intervals taken. ``entries``: those
    that have run, by name; ``left_out``: those that would have needed more time than there was, and
    how many seconds. ``seconds``: what is left. Raises ``BadInput`` for an empty split
    and for ``groups`` that fail.
    """

    def __init__(
        self,
        task: Task,
        seconds: float = 60,
        seed: int = 0,
        groups: Callable[[str], object] | None = None,
    ):
        self.task, self.seed, self.groups = task, store.whole("seed", seed, least=0), groups
        self.seconds = store.number("seconds", seconds, least=1)
        if not isinstance(task, Task) or not all(map(len, (task.train, task.val, task.test))):
            thing, cause = f"a race on {task!r:.80}", "it needs a task with pictures in each split"
            raise store.BadInput(thing, cause, "Pass what tasks.folder gives")
        if groups:  # before hours of training
            numbered([task.val, task.test], groups)
        self.entries: dict[str, Entry] = {}
        self.left_out: dict[str, float] = {}
        self._tested: Scores | None = None

    def run(self, network: str, strategy: str) -> str:
        """Let one strategy run and say in a line how it did; from scratch gets more epochs.

        One that would need more than is left of the budget stops after its first epoch, and counts
        as left out. Raises ``UnknownName``, and ``BadInput`` once the test was looked at.
        """
        partial = f"frozen to {NETWORKS[store.choose('network', network, NETWORKS)][0]}"
        store.choose("strategy", strategy, (HEAD, partial, ALL, SCRATCH))
        if self._tested:
            cause = "the test was looked at, and whoever chooses after that chooses by it"
            raise store.BadInput("this race", cause, "Start another with a new split: another seed")
        name, began = f"{strategy}, {network}", time.perf_counter()
        torch.manual_seed(self.seed)
        if strategy == HEAD:
            model = probed(network, self.task)
        else:
            model = models.load(network, pretrained=strategy != SCRATCH)
            surgery.replace_head(model, len(self.task.classes))
            if strategy == partial:
                names = [*models.stages(model)]
                surgery.freeze(model, *names[: names.index(NETWORKS[network][0]) + 1])
            needed = self._train(model, NETWORKS[network][1], strategy == SCRATCH, name)
            if needed:
                self.left_out[name] = needed
                self.seconds -= time.perf_counter() - began
                return f"{name}: left out, it needs about {needed:.0f} seconds"
        seconds = time.perf_counter() - began
        self.seconds = max(0.0, self.seconds - seconds)
        val = train.evaluate(model, self.task.val)
        self.entries[name] = Entry(network, strategy, seconds, val, model)
        self.left_out.pop(name, None)
        return f"{name}: {val.balanced_accuracy:.0%} on validation after {seconds:.1f} seconds"

    def _train(self, model: nn.Module, lr: float, scratch: bool, name: str) -> float:
        """Zero once it is trained, else how many seconds it would need."""
        epochs, batch = evidence.pace(len(self.task.train))
        epochs *= LONGER if scratch else 1
        began, needed = time.perf_counter(), 0.0

        def watch(number: int, _) -> None:
            nonlocal needed
            expected = (time.perf_counter() - began) / number * epochs
            if number < epochs and expected > self.seconds:
                needed = expected
                raise KeyboardInterrupt

        rate = FRESH if scratch else lr
        options = {"lr": rate, "batch": batch, "seed": self.seed, "progress": name}
        history = train.fit(model, self.task, epochs, watch=watch, **options)
        if history.stopped.startswith("interrupted") and not needed:
            raise KeyboardInterrupt  # the learner's: what is half trained is no entry
        return needed

    def table(self) -> "pandas.DataFrame":
        """Every entry, the best on validation first."""
        import pandas

        level = self.level()
        rows = [
            {
                "strategy": each.strategy,
                "network": each.network,
                "validation": each.val.balanced_accuracy,
                "seconds": each.seconds,
                "level with the best": each.name in level,
            }
            for each in self.entries.values()
        ]
        table = pandas.DataFrame(rows).sort_values("validation", ascending=False)
        return table.reset_index(drop=True)

    def level(self) -> list[str]:
        """The names of the best entry on validation and of those that luck may set apart from it.

        Raises ``BadInput`` where nothing has run yet.
        """
        if not self.entries:
            cause = "nothing has run yet"
            raise store.BadInput("this race", cause, 'Call race.run("lite0", "head alone")')
        rights = {name: self.shares(each.val, "val") for name, each in self.entries.items()}
        best = max(self.entries, key=lambda name: self.entries[name].val.balanced_accuracy)
        return [name for name, right in rights.items() if level(rights[best], right)]

    def shares(self, scores: Scores, part: str) -> np.ndarray:
        """Of each thing that the split ``part`` shows, the share of its pictures that is right."""
        right = (scores.answers == scores.labels).numpy().astype(float)
        if self.groups is None:
            return right
        known = numbered([getattr(self.task, part)], self.groups)
        return np.bincount(known, right) / np.bincount(known)

    def interval(self, scores: Scores, part: str) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy, in which each thing counts once."""
        from scipy.stats import binomtest

        shares = self.shares(scores, part)
        found = binomtest(round(shares.sum()), len(shares)).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def chosen(self) -> Entry:
        """The simplest of those that are level; of two that are as simple, the better one."""
        return min(
            (self.entries[name] for name in self.level()),
            key=lambda each: (effort(each.strategy), -each.val.balanced_accuracy),
        )

    def test(self) -> Scores:
        """How the chosen one does on the test, which is looked at once."""
        if self._tested is None:
            self._tested = train.evaluate(self.chosen().model, self.task.test)
        return self._tested

    def sentence(self) -> str:
        """What came out, in words."""
        best, scores = self.chosen(), self.test()
        low, high = self.interval(scores, "test")
        things = len(self.shares(scores, "test"))
        many = f"{scores.n} pictures" + (f" of {things} things" if things < scores.n else "")
        others = len(self.level()) > 1
        beside = "cannot be told from the best here" if others else "is the best here"
        told = (
            f"With your {len(self.task.train)} training pictures, {best.strategy} on "
            f"{best.network} {beside}, and takes {max(best.seconds, 1):.0f} s. It gets "
            f"{scores.accuracy:.0%} of {many} right that it had never seen (95 % interval "
            f"{low:.0%} to {high:.0%}; guessing gives {self.guessing():.0%})."
        )
        if self.left_out:
            told += f" Left out for lack of time: {'; '.join(self.left_out)}."
        return told

    def guessing(self) -> float:
        """The accuracy on the test of whoever always says the commonest class of training."""
        labels = self.task.train.labels
        return float((self.task.test.labels == labels.mode().values).float().mean())


def level(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether luck may set two models apart that got ``one`` and ``other`` right, (N,) in [0, 1].

    By McNemar's exact test (1947) on the pictures, or things, on which one of the two does better.
    """
    from scipy.stats import binomtest

    won, lost = int((one > other).sum()), int((other > one).sum())
    return won + lost == 0 or bool(binomtest(won, won + lost).pvalue > CHANCE)


def effort(strategy: str) -> int:
    """How much a strategy trains: 0 for a head alone, then a part, all, all from scratch."""
    return {HEAD: 0, ALL: 2, SCRATCH: 3}.get(strategy, 1)


def probed(network: str, task: Task) -> nn.Module:
    """The pretrained ``network`` with a head fitted on its features: a logistic regression."""
    model = models.load(network)
    models.set_classifier(model, nn.Identity())  # what the last layer would see comes out
    train_found, val_found = (
        features.run(model, lambda part: model(model.preprocess(part)), split.inputs)
        for split in (task.train, task.val)
    )
    fitted = features.probe(train_found, task.train, val_found, task.val, steady=True)
    models.set_classifier(model, fitted.layer(len(task.classes)))
    model.classes = tuple(task.classes)
    return model.eval()


def confidence(probabilities: torch.Tensor) -> np.ndarray:
    """How sure a model is of its answers: the largest of (N, classes) probabilities, (N,)."""
    return probabilities.max(1).values.numpy()


def threshold(sure: np.ndarray, right: np.ndarray, wanted: float = 0.95) -> float:
    """The lowest confidence from which on at least ``wanted`` of the answers are right.

    ``sure`` (N,) in [0, 1] and ``right`` (N,) of validation. Above 1 where there is none.
    Raises ``BadInput`` for lengths that differ, and what is no number.
    """
    wanted = store.number("wanted", wanted, least=0, most=1)
    sure, right = np.asarray(sure, float), np.asarray(right, bool)
    if sure.ndim != 1 or sure.shape != right.shape or not np.isfinite(sure).all():
        cause = f"it has confidences of shape {sure.shape} and answers of shape {right.shape}"
        raise store.BadInput("a threshold", cause, "Pass one finite number and one bool a picture")
    for least in np.unique(sure):
        if right[sure >= least].mean() >= wanted:
            return float(least)
    return 1.01
