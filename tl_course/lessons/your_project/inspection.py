"""Look at the data first: how much there is, what is there twice, what is labelled wrongly."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tl_course import store
from tl_course.tasks import Split, Task
from tl_course.tasks.folder import together

if TYPE_CHECKING:
    import pandas
    import torch

STRENGTH = 0.1  # of the logistic regression: weak, as there are more features than pictures
FOLDS = 5


def counts(task: Task) -> "pandas.DataFrame":
    """How many pictures of each class are in each split; a row a class."""
    import pandas

    splits = {"training": task.train, "validation": task.val, "test": task.test}
    table = {
        name: np.bincount(split.labels.numpy(), minlength=len(task.classes))
        for name, split in splits.items()
    }
    return pandas.DataFrame(table, index=[*task.classes])


def suspects(
    task: Task,
    features: Mapping[str, "torch.Tensor"],
    groups: Callable[[str], object] | None = None,
) -> "pandas.DataFrame":
    """Pictures whose class a model that never saw them doubts, the most doubtful first.

    ``features``: split to float32 (N, channels). A logistic regression on four fifths of all
    pictures judges the rest, five times; ``groups`` keeps pictures of one thing together, as in
    ``tasks.folder``. Columns file, split, place there, labelled, looks like, and ``doubt``: the
    probability of what it looks like minus that of its label (as in confident learning, Northcutt
    et al. 2021, arXiv:1911.00068). Raises ``BadInput`` for a class with too few pictures, too few
    groups, and features of other pictures.
    """
    import pandas
    from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict

    splits = {"train": task.train, "val": task.val, "test": task.test}
    found = gathered(features, splits)
    labels = np.concatenate([split.labels.numpy() for split in splits.values()])
    files = [file for each in splits.values() for file in each.files or [""] * len(each)]
    places = [(name, place) for name, split in splits.items() for place in range(len(split))]
    if np.bincount(labels, minlength=len(task.classes)).min() < FOLDS:
        cause = f"a class has fewer than {FOLDS} pictures"
        raise store.BadInput("a search for wrong labels", cause, "Add some, or leave the class out")
    things = numbered([*splits.values()], groups) if groups else None
    if things is not None and things.max() + 1 < FOLDS:
        cause = f"there are {things.max() + 1} groups, {FOLDS} are needed"
        raise store.BadInput("groups=…", cause, "Make them smaller, or leave groups out")
    folds = GroupKFold(FOLDS) if groups else StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    shares = cross_val_predict(
        judge(), found, labels, groups=things, cv=folds, method="predict_proba"
    )
    best = shares.argmax(1)
    every = np.arange(len(labels))
    table = pandas.DataFrame({
        "file": files,
        "split": [name for name, _ in places],
        "place": [place for _, place in places],
        "labelled": [task.classes[label] for label in labels],
        "looks like": [task.classes[label] for label in best],
        "doubt": shares[every, best] - shares[every, labels],
    })  # fmt: skip
    doubted = table[table.doubt > 0].sort_values("doubt", ascending=False)
    return doubted.reset_index(drop=True)


def numbered(splits: Sequence[Split], groups: Callable[[str], object]) -> np.ndarray:
    """Which thing each picture of ``splits`` shows, as ``groups`` tells: int64 (N,), from 0.

    Raises ``BadInput`` where the pictures have no file names, and where ``groups`` fails.
    """
    if any(len(split.files) < len(split) for split in splits):
        cause = "the pictures of this task have no names of files"
        raise store.BadInput("groups=…", cause, "Leave groups out")
    things = together([file for split in splits for file in split.files], groups)
    places = {thing: place for place, thing in enumerate(dict.fromkeys(things))}
    return np.array([places[thing] for thing in things], dtype=np.int64)


def gathered(features: Mapping[str, "torch.Tensor"], splits: Mapping[str, Split]) -> np.ndarray:
    """The ``features`` of all ``splits``, (N, channels). Raises ``BadInput`` for others."""
    counts = {name: len(features.get(name, ())) for name in splits}
    if counts != {name: len(split) for name, split in splits.items()}:
        cause = f"there are {', '.join(f'{n} of {name}' for name, n in counts.items())}"
        raise store.BadInput("features", cause, "Pass one row for each picture of these splits")
    found = np.concatenate([features[name].numpy() for name in splits])
    if not np.isfinite(found).all():
        raise store.BadInput("features", "some are not finite", "Look at the network's weights")
    return found


def judge():
    """A logistic regression on features of one scale, not yet fitted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from tl_course.features.scaling import SteadyScaler

    return make_pipeline(SteadyScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))


def likeness(features: "torch.Tensor", training: "torch.Tensor") -> np.ndarray:
    """How like each picture is to every training picture: the cosine of centred features (N, M).

    ``features`` (N, channels), ``training`` (M, channels); both are centred on the training mean.
    Raises ``BadInput`` for no training, and other channels.
    """
    from torch.nn.functional import normalize

    if not len(training) or features.shape[1:] != training.shape[1:]:
        cause = f"they are {tuple(features.shape)}, those of training {tuple(training.shape)}"
        raise store.BadInput("features", cause, "Pass both of one network, and some of training")
    mean = training.mean(0)
    return (normalize(features - mean) @ normalize(training - mean).T).numpy()


def twins(task: Task, features: Mapping[str, "torch.Tensor"]) -> "pandas.DataFrame":
    """The training picture most like each test picture, the likest pair first.

    ``features``: split to (N, channels), of which ``train`` and ``test`` are compared. Columns
    test and train (places in the splits), and ``likeness``.
    """
    import pandas

    found = likeness(features["test"], features["train"])
    table = pandas.DataFrame({
        "test": range(len(found)), "train": found.argmax(1), "likeness": found.max(1)
    })  # fmt: skip
    return table.sort_values("likeness", ascending=False).reset_index(drop=True)
