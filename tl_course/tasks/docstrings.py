"""First sentences of the documentation of installed libraries; which topic are they about?

Read from the libraries when asked for, so that nothing is downloaded or copied. Which sentences
there are depends a little on the installed versions.
"""

import inspect
import re
from importlib import import_module

import numpy as np

from tl_course.tasks.task import Split, Task, divide
from tl_course.tasks.text import codes

MODULES = {
    "statistics": "scipy.stats",
    "signals": "scipy.signal",
    "algebra": "scipy.linalg",
    "plots": "matplotlib.pyplot",
    "tables": "pandas",
    "networks": "torch.nn",
}
# most sentences of a topic, so that they are about as frequent: of each task made of them
MOST = {"docstrings": 90, "text_letters": 250}
LETTERS = 160  # what stands behind is cut off
SIGNATURE = re.compile(r"^\w+\(")


def sentences(module: str) -> list[str]:
    """The first paragraph about each class and function that ``module`` offers, each once."""
    owner = import_module(module)
    offered = getattr(owner, "__all__", None) or [n for n in vars(owner) if n[0] != "_"]
    parts = (getattr(owner, name, None) for name in sorted(offered))
    texts = (inspect.getdoc(part) or "" for part in parts if callable(part))
    firsts = (" ".join(text.split("\n\n")[0].split()) for text in texts)
    return [*dict.fromkeys(t for t in firsts if len(t.split()) > 3 and not SIGNATURE.match(t))]


def load(name: str = "docstrings") -> Task:
    """Code points (N, 160): half to train, a seventh to choose, the rest to test.

    ``name`` is one of ``MOST``.
    """
    import torch

    rng = np.random.default_rng(0)
    inputs, labels = [], []
    for label, module in enumerate(MODULES.values()):
        found = sentences(module)
        for index in rng.permutation(len(found))[: MOST[name]]:
            inputs.append(found[index])
            labels.append(label)
    return Task(
        name,
        "Topics of documentation",
        (*MODULES,),
        *divide(Split(codes(inputs, LETTERS), torch.tensor(labels)), shares=(0.15, 0.35)),
        licence="BSD-3-Clause and similar; read where it is installed",
        source=", ".join(MODULES.values()),
        overlap="not known: language models are trained on texts from all over the web",
    )
