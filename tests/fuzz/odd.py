"""What callers pass by mistake: values of every kind."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

HUGE = (10**400, -(10**400), 2**64, 2**63, -(2**63) - 1, 1e308, 5e-324)
KINDS = (
    *(None, True, False, b"x", (), [], {}, set(), object, nn.Linear(2, 2), range(3), 1j),
    *(
        np.int64(3),
        np.float32(0.1),
        np.array([1, 2]),
        np.array(1.0),
        Fraction(1, 3),
        Decimal("0.1"),
    ),
    *(torch.tensor(1.0), torch.tensor([1, 2]), torch.float32, torch.device("cpu"), {"head": 1e-3}),
)
WORDS = ("head", "stem", "best", "cpu", "meta", "cuda", "", "\0", "x" * 300, "\ud800", "é")
ODD = st.one_of(
    *map(st.sampled_from, (KINDS, HUGE, WORDS)),
    st.integers(-3, 9),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(-1, 3), max_size=3),
)
