"""Features on one scale, for a head that must also answer pictures unlike those it learned from."""

from typing import Self

import numpy as np
from sklearn.preprocessing import StandardScaler


class SteadyScaler(StandardScaler):
    """``StandardScaler``, but no channel is divided by less than the median channel's spread.

    Of a thousand channels some are nearly silent on a few training pictures. Divided by their tiny
    spread, the first picture that wakes one becomes extreme, and the head as good as certain of
    whatever it says.
    """

    scale_: np.ndarray

    def fit(self, X, y=None, sample_weight=None) -> Self:  # noqa: N803 - scikit-learn's name
        super().fit(X, y, sample_weight)
        self.scale_ = np.maximum(self.scale_, np.median(self.scale_))
        return self
