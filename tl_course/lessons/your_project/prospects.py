"""What more labels would bring: a learning curve, and where it leads."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tl_course import store
from tl_course.lessons.your_project.inspection import gathered, judge, numbered
from tl_course.tasks import Task

if TYPE_CHECKING:
    import pandas
    import torch

DRAWS, HELD = 12, 0.25  # how often pictures are drawn, and the share that judges each time
RESAMPLED = 500


def learning_curve(
    task: Task,
    features: Mapping[str, "torch.Tensor"],
    groups: Callable[[str], object] | None = None,
    shares: Sequence[float] = (0.15, 0.25, 0.4, 0.65, 1.0),
) -> "pandas.DataFrame":
    """How often a head alone errs with more and more labels; a row a draw and count.

    ``features``: (N, channels) of ``train`` and ``val``. In each of 12 draws a quarter of these
    pictures judges and the rest teaches, ``shares`` of it. Columns labels, draw, error in [0, 1]
    (balanced). ``groups`` as in ``tasks.folder``. Raises ``BadInput`` where a share has too few
    pictures.
    """
    import pandas
    from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit
    from sklearn.model_selection import learning_curve as measured

    kind = GroupShuffleSplit if groups else StratifiedShuffleSplit
    splits = {"train": task.train, "val": task.val}
    labels = np.concatenate([split.labels.numpy() for split in splits.values()])
    known = gathered(features, splits)
    things = numbered([*splits.values()], groups) if groups else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a class that is not among the judges
            counts, _, right = measured(
                judge(),
                known,
                labels,
                groups=things,
                train_sizes=[*shares],
                cv=kind(DRAWS, test_size=HELD, random_state=0),
                scoring="balanced_accuracy",
                shuffle=True,
                random_state=0,
                error_score="raise",
            )
    except ValueError as error:  # a share may hold one class alone
        least = min(shares, default=1)
        cause = f"{len(labels)} pictures are too few for {least:.0%} of them ({error})"
        raise store.BadInput("a learning curve", cause, "Leave the smallest shares out") from error
    rows = [
        {"labels": int(count), "draw": draw, "error": 1 - value}
        for count, values in zip(counts, right, strict=True)
        for draw, value in enumerate(values)
    ]
    return pandas.DataFrame(rows)


@dataclass(frozen=True)
class Outlook:
    """Where a learning curve leads: error = scale × labels ** -power, fitted to many resamples.

    Such power laws describe learning curves over a wide range (Hestness et al. 2017,
    arXiv:1712.00409); none knows of errors that no label can mend.
    """

    scales: np.ndarray
    powers: np.ndarray

    @classmethod
    def of(cls, curve: "pandas.DataFrame") -> "Outlook":
        """Fitted to what ``learning_curve`` gave; each resample draws its draws anew.

        Raises ``BadInput`` for fewer than two counts of labels, and what is not measured.
        """
        measured = np.isfinite(curve.error).all() and (curve.labels > 0).all()
        if not measured or curve.labels.nunique() < 2:
            cause = "it needs errors that are numbers, with two counts of labels or more"
            raise store.BadInput("a learning curve", cause, "Pass more shares to learning_curve")
        wide = curve.pivot(index="draw", columns="labels", values="error")
        rng = np.random.default_rng(0)
        logs, fits = np.log(wide.columns.to_numpy(float)), []
        for _ in range(RESAMPLED):
            means = wide.to_numpy()[rng.integers(0, len(wide), len(wide))].mean(0)
            fits.append(np.polyfit(logs, np.log(np.maximum(means, 1e-3)), 1))
        slopes, heights = np.array(fits).T
        return cls(np.exp(heights), -slopes)

    def at(self, labels: float) -> tuple[float, float, float]:
        """Accuracy expected with so many labels, 1 or more; the ends of 95 % of resamples."""
        labels = store.number("labels", labels, least=1)
        errors = np.clip(self.scales * labels**-self.powers, 0, 1)
        low, middle, high = np.quantile(1 - errors, [0.025, 0.5, 0.975])
        return float(middle), float(low), float(high)
