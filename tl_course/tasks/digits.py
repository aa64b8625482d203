"""Scikit-learn's handwritten digits: real, 8×8, in the package already."""

from tl_course.tasks.task import Split, Task, divide, enlarged


def load() -> Task:
    """1,797 digits, enlarged from 8×8 to 64×64, grey as RGB."""
    from sklearn.datasets import load_digits

    data = load_digits()
    whole = Split.grey(enlarged(data.images, "bicubic", brightest=16), data.target)
    return Task(
        "digits",
        "Handwritten digits",
        tuple(str(digit) for digit in data.target_names),
        *divide(whole, shares=(0.15, 0.35)),
        licence="CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits)",
        source="sklearn.datasets.load_digits",
        overlap="none: no digits among the source classes",
    )
