"""What every data set becomes: a ``Task`` with three splits."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tl_course import store

if TYPE_CHECKING:  # processes that only draw pictures do without torch
    import torch


@dataclass(frozen=True)
class Split:
    """Inputs and labels that belong together.

    ``inputs``: for pictures uint8 (N, 3, H, W), RGB; for texts int32 (N, letters), code points,
    zeros behind; for sounds float32 (N, samples) in [-1, 1], one channel, 16,000 samples a second.
    ``labels``: int64 (N,), or (N, K) where each input has K answers, such as a number's digits.
    ``classes``: the names of the labels 0, 1, …, those of its task; empty where nobody knows them.
    ``files``: where each input was read from, below the folder of ``tasks.folder``, else empty.
    """

    inputs: "torch.Tensor"
    labels: "torch.Tensor"
    classes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        import torch

        proper = {type(self.inputs), type(self.labels)} == {torch.Tensor}
        proper = proper and isinstance(self.classes, Iterable) and self.inputs.ndim > 0
        if not proper or self.labels.dtype != torch.int64 or not _one_or_more(self.labels):
            raise store.BadInput(
                "a split",
                "it needs a tensor of inputs and int64 labels: (N,), or (N, K) for K > 1 answers",
                "Convert; names of classes are a list",
            )
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(self.inputs) != len(self.labels):
            raise store.BadInput(
                f"a split of {len(self.inputs)} inputs and {len(self.labels)} labels",
                "each input needs one label",
                "Check how they were put together",
            )

    @classmethod
    def grey(cls, pictures, labels) -> "Split":
        """Grey pictures, uint8 (N, 64, 64), as RGB; ``labels`` are N whole numbers."""
        import torch

        rgb = torch.as_tensor(np.asarray(pictures)).unsqueeze(1).expand(-1, 3, -1, -1)
        return cls(rgb.contiguous(), torch.as_tensor(np.asarray(labels, np.int64)))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices) -> "Split":
        """The examples at ``indices``: whole numbers in any order, those below 0 from the end.

        Or one True or False an example. Raises ``BadInput`` for anything else.
        """
        import torch

        try:
            places = np.asarray(indices)
            places = np.arange(len(self))[places if places.size else slice(0)]
        except (IndexError, TypeError, ValueError, RuntimeError):
            places = np.empty(())
        if places.ndim != 1:
            raise store.BadInput(
                f"take({str(indices)[:40]})",
                f"it wants whole numbers from {-len(self)} to {len(self) - 1}, or one True or "
                f"False for each of {len(self)} examples",
                "Pass a list of them, such as range(10)",
            )
        chosen = torch.from_numpy(places)
        files = tuple(self.files[place] for place in places) if self.files else ()
        return Split(self.inputs[chosen], self.labels[chosen], self.classes, files)


@dataclass(frozen=True)
class Task:
    """A data set, its classes, and where it comes from.

    ``train`` is for learning, ``val`` for choosing, ``test`` for one report at the end.
    ``overlap`` says what the task shares with the pictures the source network has seen.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    licence: str
    source: str
    overlap: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        known = {split.classes for split in (self.train, self.val, self.test)} - {()}
        if len(known) > 1:
            first, second, *_ = sorted(known)
            raise store.BadInput(
                f"task {self.name!r}",
                f"its splits number their classes differently: {first} and {second}",
                "Read them with the same classes: tasks.folder(path, classes=task.classes)",
            )
        for part in ("train", "val", "test"):
            split = getattr(self, part)
            if split.classes != self.classes:
                object.__setattr__(self, part, replace(split, classes=self.classes))

    def few(self, n: int, seed: int) -> "Task":
        """The same task with ``n`` training labels; classes keep their proportions.

        Where an input has several answers, ``n`` counts inputs, and they are drawn by chance.
        Validation shrinks too, to at most ``max(n, 50)`` pictures: whoever has 100 labels
        has no 2,000 to validate on. The test split never changes. Raises ``BadInput`` when
        ``n`` is below the number of classes (1 for several answers) or above the number of
        training labels, and for a seed that is not a whole number.
        """
        n, seed = store.whole("n", n), store.whole("seed", seed, least=0)
        least = 1 if self.train.labels.ndim > 1 else len(self.classes)
        if not least <= n <= len(self.train):
            raise store.BadInput(
                f"few(n={n}) on {self.name!r}",
                f"it has {len(self.classes)} classes and {len(self.train)} training labels",
                f"Choose n from {least} to {len(self.train)}",
            )
        rng = np.random.default_rng([seed, n])
        size = min(len(self.val), max(n, 50))
        return replace(self, train=_draw(self.train, n, rng), val=_draw(self.val, size, rng))

    def mixed(self, old: Split) -> "Task":
        """The same task with the examples of ``old`` mixed into training, for rehearsal.

        Validation and test stay. Texts of another length get zeros behind them. Raises
        ``BadInput`` where inputs or labels are of another kind.
        """
        import torch
        from torch.nn.functional import pad

        if not isinstance(old, Split):
            raise store.BadInput(
                f"a {type(old).__name__} to mix in", "it is not a split", "Pass old_task.train"
            )
        parts = [self.train, old]
        inputs, labels = [split.inputs for split in parts], [split.labels for split in parts]
        if {texts.ndim for texts in inputs} == {2}:
            longest = max(texts.shape[1] for texts in inputs)
            inputs = [pad(texts, (0, longest - texts.shape[1])) for texts in inputs]
        shapes = {(x.dtype, x.shape[1:], y.shape[1:]) for x, y in zip(inputs, labels, strict=True)}
        if len(shapes) > 1 or old.classes not in ((), self.classes):
            raise store.BadInput(
                f"examples to mix into {self.name!r}",
                "their inputs or labels have another shape or type, or other classes",
                "Pass a split of the same kind of task",
            )
        return replace(self, train=Split(torch.cat(inputs), torch.cat(labels)))

    def __repr__(self) -> str:
        return (
            f"Task({self.name!r}: {len(self.classes)} classes, {len(self.train)} training, "
            f"{len(self.val)} validation, {len(self.test)} test)"
        )


def _one_or_more(labels: "torch.Tensor") -> bool:
    return labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] > 1)


def _draw(split: Split, n: int, rng: np.random.Generator) -> Split:
    if split.labels.ndim > 1:
        return split.take(rng.permutation(len(split))[:n])
    return split.take(stratified(split.labels, n, rng))


def stratified(labels, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` indices into ``labels``, shuffled; every class keeps its share and at least one."""
    labels = np.asarray(labels)
    if not len(labels):
        return np.empty(0, dtype=int)
    classes, counts = np.unique(labels, return_counts=True)
    quota = n * counts / counts.sum()
    least = min(1, n // len(classes))
    take = np.clip(np.floor(quota).astype(int), least, counts)
    # what rounding left over goes to the largest remainders, ties by chance
    order = np.argsort(take - quota + rng.uniform(0, 1e-6, len(quota)))
    while take.sum() != n:
        step = 1 if take.sum() < n else -1
        for index in order[::step]:
            if take.sum() != n and least <= take[index] + step <= counts[index]:
                take[index] += step
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:k]
        for label, k in zip(classes, take, strict=True)
    ]
    return rng.permutation(np.concatenate(chosen))


def divide(
    split: Split,
    shares: tuple[float, float],
    seed: int = 0,
    groups: Sequence[object] | None = None,
) -> tuple[Split, Split, Split]:
    """Cut one split into (train, val, test), stratified; ``shares`` are those of val and test.

    Examples of one of the ``groups``, one for each example, stay together; shares and
    stratification are then what groups allow.
    """
    rng = np.random.default_rng(seed)
    n_val, n_test = (round(share * len(split)) for share in shares)
    rest = np.arange(len(split))
    parts = []
    for size in (n_test, n_val):
        if groups is None or not size:
            chosen = rest[stratified(split.labels[rest], size, rng)]
        else:
            chosen = rest[_together(split.labels[rest], [groups[int(i)] for i in rest], size, rng)]
        parts.append(split.take(chosen))
        rest = np.setdiff1d(rest, chosen)
    return split.take(rng.permutation(rest)), parts[1], parts[0]


def _together(labels, groups: Sequence[object], n: int, rng: np.random.Generator) -> np.ndarray:
    """About ``n`` indices of whole groups, in which classes keep their shares as far as can be."""
    from sklearn.model_selection import StratifiedGroupKFold

    names = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    known = np.array([names[group] for group in groups])
    folds = min(max(2, round(len(labels) / n)), len(names))
    cut = StratifiedGroupKFold(max(2, folds), shuffle=True, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with few examples
        return next(cut.split(known, np.asarray(labels), known))[1] if len(names) > 1 else known[:0]


def enlarged(pictures: np.ndarray, mode: str, brightest: int = 255) -> "torch.Tensor":
    """Grey pictures (N, height, width) at 64×64: uint8 (N, 64, 64), 255 for the ``brightest``.

    ``mode`` is one of ``torch.nn.functional.interpolate``.
    """
    import torch
    from torch.nn.functional import interpolate

    grey = torch.from_numpy(pictures).unsqueeze(1).float()
    large = interpolate(grey, size=(64, 64), mode=mode, align_corners=False).squeeze(1)
    return (large.clamp(0, brightest) * (255 / brightest)).round().to(torch.uint8)


@contextmanager
def expecting(thing: object, cause: str) -> Iterator[None]:
    """Turn what a published file of another content raises into ``CorruptFile``, with ``cause``."""
    try:
        yield
    except store.CourseError:
        raise
    except Exception as error:  # what reads such files raises many kinds
        detail = str(error) or "it is cut short"
        cure = "Get the published file again"
        raise store.CorruptFile(str(thing), f"{cause} ({detail})", cure) from error


def published(
    name: str,
    title: str,
    classes: tuple[str, ...],
    splits: Sequence[Split],
    overlap: str,
    file: str | None = None,
) -> Task:
    """A task read from a published file; the catalogue knows its licence and source.

    ``file`` is the file's name there, by default ``name``. Raises ``CorruptFile`` for labels that
    are none of the ``classes``.
    """
    entry = store.published()[file or name]
    train, val, test = splits
    labels = {label for split in splits for label in split.labels.unique().tolist()}
    if not labels <= set(range(len(classes))):
        cause = f"it has labels from {min(labels)} to {max(labels)}, not {len(classes)} classes"
        raise store.CorruptFile(entry.file, cause, "Get the published file again")
    return Task(name, title, classes, train, val, test, entry.licence, entry.source, overlap)
