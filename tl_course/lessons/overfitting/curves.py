"""Six runs whose curves are to be told apart, and what gives each away."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import features, models, store, tasks, train

# what each diagnosis looks like
LOOKS = {
    "overfitting": "the training loss would go on falling while the validation loss turns and "
    "rises",
    "underfitting": "training itself would stay poor: both losses high, smooth and close together",
    "a good fit": "both losses would fall smoothly and end low, training a little ahead",
    "learning rate too high": "the training loss itself would jump up and down instead of falling",
    "validation set too small": "the training curves would be smooth, and the validation accuracy "
    "would move in a few large steps",
    "validation leaked": "validation would follow training closely, or be ahead of it, even on a "
    "task that is hard with so few labels",
}
# what each run has, and what its curves show of it
TRUTHS = {
    "A": (
        "validation set too small",
        "training is smooth, and the validation accuracy knows only a few values, one picture "
        "apart. With ten pictures, each is ten points: this curve cannot choose anything",
    ),
    "B": (
        "a good fit",
        "both losses fall to the end and stay close together; what is left between them is small",
    ),
    "C": (
        "validation leaked",
        "validation follows training all the way, up to all right, although the same task with as "
        "many labels is hard in the other panel. Its pictures are training pictures",
    ),
    "D": (
        "overfitting",
        "the training loss falls to nearly nothing; the validation loss turns and rises, although "
        "the validation accuracy hardly moves",
    ),
    "E": (
        "learning rate too high",
        "both losses jump, also the one on training, which every step should lower; much of them "
        "lies above the panel's edge",
    ),
    "F": (
        "underfitting",
        "both losses stay high and close together: the network is too narrow to learn even the "
        "training pictures",
    ),
}


@dataclass(frozen=True)
class CurveCase:
    """One run to be diagnosed. ``curves``: the columns of a ``History`` by name; ``truth``: a key
    of ``LOOKS``; ``seen``: what its curves show, in words.
    """

    title: str
    curves: dict[str, list[float]]
    truth: str
    seen: str


@lru_cache(maxsize=1)
@torch.random.fork_rng(devices=[])
def curve_cases() -> dict[str, CurveCase]:
    """Six runs by letter, each with something to notice; trained now, on features, in seconds.

    Small networks learn from ``resnet10``'s features of leaves (100 labels) and digits (300).
    """
    source = models.load("resnet10")
    stored = {}
    for name, labels in (("leaves", 100), ("digits", 300)):
        few = tasks.load(name).few(labels, seed=0)
        for part, split in (("", few.train), (" val", few.val)):
            stored[name + part] = features.extract(source, split.inputs), split.labels
    leaves, val, digits, digits_val = stored.values()
    few, copied = [part[:10] for part in digits_val], [part[:50] for part in leaves]
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 5))
    middle = nn.Sequential(nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 5))
    narrow = nn.Sequential(nn.Linear(256, 1), nn.Linear(1, 10))
    first, second, third = (nn.Linear(256, 10) for _ in range(3))
    runs = {
        "A": _follow(first, digits, few, lr=2e-2, batch=8),
        "B": _follow(second, digits, digits_val, lr=3e-3),
        "C": _follow(middle, leaves, copied, lr=2e-3),
        "D": _follow(wide, leaves, val, lr=3e-3),
        "E": _follow(third, digits, digits_val, lr=1.0),
        "F": _follow(narrow, digits, digits_val, lr=1e-2),
    }
    names = dict.fromkeys(runs, "digits, 300 labels")
    names |= dict.fromkeys("CD", "leaves, 100 labels")
    return {
        letter: CurveCase(f"{letter}: {names[letter]}", curves, *TRUTHS[letter])
        for letter, curves in runs.items()
    }


def _follow(
    network: nn.Module,
    known: Sequence[torch.Tensor],
    val: Sequence[torch.Tensor],
    lr: float,
    batch: int = 32,
) -> dict[str, list[float]]:
    """Train ``network`` on features; as in ``fit``, training is measured while it learns."""
    inputs, labels = known
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0)
    scores = {"train": [], "val": []}
    for _ in range(40):
        seen = []
        for chosen in torch.randperm(len(labels)).split(batch):
            logits = network(inputs[chosen])
            loss = F.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append((logits.detach(), labels[chosen]))
        scores["train"].append(train.score(*map(torch.cat, zip(*seen, strict=True))))
        with torch.no_grad():
            scores["val"].append(train.score(network(val[0]), val[1]))
    return {
        f"{split}_{measure}": [getattr(each, measure) for each in found]
        for split, found in scores.items()
        for measure in ("loss", "accuracy")
    }


def diagnose(letter: str, diagnosis: str) -> str:
    """Whether ``diagnosis`` fits the curves ``letter`` of ``curve_cases``, and why; one line.

    Raises ``UnknownName`` for a letter or a diagnosis that is not there.
    """
    store.choose("diagnosis", diagnosis, LOOKS)
    truth, seen = TRUTHS[store.choose("pair of curves", letter, TRUTHS)]
    if diagnosis == truth:
        return f"Right: {seen}."
    article = "a " if diagnosis in ("learning rate too high", "validation set too small") else ""
    return f"Not yet: with {article}{diagnosis}, {LOOKS[diagnosis]}. Look at {letter} again."
