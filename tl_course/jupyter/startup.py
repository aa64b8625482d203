"""What IPython runs first in notebooks of ``tl-course lab``: hints from their first cell on."""

import tl_course.practice  # noqa: F401
