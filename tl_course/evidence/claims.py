"""What four well-known articles say about transfer learning, in the course's words."""

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Claim:
    """One sentence of the folklore. ``documents``: which of the four articles (A to D) say it."""

    id: str
    text: str
    documents: str


with Path(__file__).with_name("claims.csv").open(encoding="utf-8", newline="") as _table:
    CLAIMS = tuple(Claim(**row) for row in csv.DictReader(_table))
