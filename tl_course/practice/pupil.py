"""What a pretrained network learns from pictures of your own, and its rival from scratch."""

import copy
import hashlib
import io
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tl_course import models, store, surgery
from tl_course.models import backbones
from tl_course.tasks import materials, read_picture
from tl_course.tasks.folder import SPLIT
from tl_course.tasks.pictures import SAVE_AGAIN, refused
from tl_course.tasks.reading import ENDINGS, IGNORED, folded, hidden

MOST_CLASSES, MOST, LONGEST = 8, 500, 40  # classes, pictures of one, letters of a name
FIFTH = 5  # of so many pictures of a class the last is held back
HEAVIEST = 200_000_000  # bytes of a file
DRAWN, DRAWINGS, CHANCE = ("weave", "wood"), 15, 18  # what is drawn, how many of each, the seed
FOLDER = "my_things"
BATCH, KNOWN = 16, 0.02  # pictures of a step; nats of loss at which the pictures are known by heart
RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(10))}
Answers = dict[str, list[float | None]]  # by network, of each class; None where it knows none


@dataclass(eq=False)
class Example:
    """``pixels``: uint8 (3, S, S). ``features``: float32 (channels,). ``source``: the original."""

    pixels: np.ndarray
    features: np.ndarray
    source: bytes | Path
    held: bool
    kept: Path | None = None


@dataclass(eq=False)
class Named:
    """What is collected under one name; another takes its place when it is cleared."""

    name: str
    examples: list[Example] = field(default_factory=list)


class Pupil:
    """A copy of ``model`` with a head that learns classes from a few pictures, and its rival.

    ``model``: a network for pictures, such as ``models.load("lite0")``. ``classes``: up to 8 names.
    ``seconds``: the longest that the same network is trained from scratch. ``scratch``: gives a
    network with random weights and so many outputs; needed where the course cannot build ``model``
    itself. Nothing is written before ``keep``. Raises ``BadInput``.
    """

    said, stopped = "Start the camera, or add pictures. They stay on this machine.", False
    shown: tuple[np.ndarray, str, Answers] | None = None  # pixels, what they are, answers

    def __init__(
        self,
        model: nn.Module,
        classes: Sequence[str],
        seconds: float,
        scratch: Callable[[int], nn.Module] | None,
    ):
        self.classes: list[Named] = []
        self._seconds = store.number("seconds", seconds, least=0.1, most=3600)
        self._prepare, self._build = _for_pictures(model), scratch or _builder(model)
        self._size = self._prepare.read_size
        self._backbone = copy.deepcopy(model).eval()
        models.set_classifier(self._backbone, nn.Identity())
        self._head: Any = None
        self._scratch: tuple[list[Named], nn.Module] | None = None
        self._seen: set[bytes] = set()  # what no file may bring again
        self._left: dict[str, list[str]] = {}  # files left out, by reason
        self._taken = self._drawn = 0
        self._pressed = False  # a camera's button
        self._lock, self._fitting = threading.RLock(), threading.Lock()
        for name in [classes] if isinstance(classes, str) else classes:
            self.classes.append(Named(self._proper(name)))

    def say(self, text: str) -> str:
        """Tell ``text``, which is returned."""
        self.said = text
        return text

    def add(
        self, pictures: str | Path | bytes | Iterable[str | Path | bytes], label: str | None = None
    ) -> str:
        """Add pictures to the class ``label``, which may be new: a folder, files, or their bytes.

        Without ``label`` each folder inside the one given becomes a class. Returns how many were
        added, and which were left out and why. Raises ``BadInput`` for what is not there.
        """
        self._taken, self._left = 0, {}
        root = store.user_path(pictures) if isinstance(pictures, str | Path) else None
        if root is not None and not root.exists():
            raise store.BadInput(f"{str(root)!r}", "it is not there", "Look for a slip in its name")
        if label is not None:
            single = isinstance(pictures, str | Path | bytes)
            files: Any = _inside(root) if root and root.is_dir() else pictures
            self._add_files(
                [pictures] if files is pictures and single else files, self._place(label)
            )
        else:
            for folder in _folders(root):
                self._add_folder(folder)
        self._fit_head()
        return self.say(self._account())

    def use_drawn(self) -> str:
        """Fill the first two classes, which must be empty, with materials that the course draws."""
        with self._lock:
            first = self.classes[:2]
            causes = {
                "the first two classes are not empty": any(each.examples for each in first),
                "another class has their name": {*DRAWN} & {c.name for c in self.classes[2:]},
                "they need two classes": len(first) < 2,
            }
            for cause in (cause for cause, holds in causes.items() if holds):
                raise store.BadInput("drawn things", cause, "Clear, rename or add a class")
            for each, name in zip(first, DRAWN, strict=True):
                each.name = name
        self._drawn = 0
        for _ in range(DRAWINGS * len(DRAWN)):
            data, place = self._next_drawing()
            self._teach(data, place)
        self._fit_head()
        many = f"{DRAWINGS} drawn pictures of {DRAWN[0]} and {DRAWINGS} of {DRAWN[1]}"
        return self.say(f"Learned from {many}. Now show a new one.")

    def show_new(self) -> str:
        """Show a drawn picture that no network has learned from; returns what each says of it."""
        if not self._drawn or [each.name for each in self.classes[:2]] != [*DRAWN]:
            raise store.BadInput("a new one", "no drawn things were learned", "Use drawn things")
        data, place = self._next_drawing()
        return self.show(data, f"A new picture of {DRAWN[place]}")

    def show(self, data: bytes, caption: str) -> str:
        """Show an encoded picture; returns what each network says of it. Raises ``BadInput``."""
        pixels = read_picture(data, self._size)
        answers = self._answers(pixels)
        self.shown = pixels, caption, answers
        said = [
            f"{network} says {max(values, key=values.__getitem__)} ({max(values.values()):.0%})"
            for network, values in self._by_name(answers).items()
        ]
        return self.say(f"{caption}: {'; '.join(said) or 'two classes need pictures first'}.")

    def answer(self, data: bytes) -> dict[str, dict[str, float]]:
        """What each network says of an encoded picture: its name to class to probability.

        Empty while fewer than two classes have pictures. Raises ``BadInput``.
        """
        return self._by_name(self._answers(read_picture(data, self._size)))

    def examples(self) -> dict[str, torch.Tensor]:
        """The pictures of each class, as they were read: uint8 (N, 3, S, S)."""
        with self._lock:
            every = {each.name: [one.pixels for one in each.examples] for each in self.classes}
        none = np.empty((0, 3, self._size, self._size), np.uint8)
        return {name: torch.from_numpy(np.stack(p) if p else none) for name, p in every.items()}

    def held_back(self) -> dict[str, tuple[int, int]]:
        """By network: how many pictures held back, every fifth of a class, it gets right, of how
        many. Only classes that all networks have learned count.
        """
        with self._lock:
            known = self._scratch[0] if self._scratch else self.classes
            held = [
                (one, place)
                for place, each in enumerate(self.classes)
                for one in each.examples
                if one.held and each in known
            ]
        found: dict[str, list[bool]] = {}
        for one, place in held:
            for network, values in self._answers(one.pixels, one.features).items():
                best = np.argmax([value or 0 for value in values])
                found.setdefault(network, []).append(bool(best == place))
        return {network: (sum(right), len(right)) for network, right in found.items()}

    def train_scratch(self) -> str:
        """Train the same network from random weights on the same pictures, for ``seconds``.

        Returns how many of the pictures held back each gets right. Raises ``BadInput`` unless two
        classes have five pictures each.
        """
        with self._lock:
            known = [each for each in self.classes if each.examples]
            pairs = [(o.pixels, i) for i, c in enumerate(known) for o in c.examples if not o.held]
        if sum(len(each.examples) >= FIFTH for each in known) < 2:
            cause = f"at least two classes need {FIFTH} pictures each"
            raise store.BadInput("training from scratch", cause, "Add some more")

        def goes_on(seconds: float, right: float) -> bool:
            done = f"{seconds:.0f} of at most {self._seconds:.0f} seconds"
            self.say(f"From scratch: {done}, {right:.0%} right on what it learns from.")
            return not self.stopped and all(each in self.classes for each in known)

        network, right = self._rival(len(known), pairs, goes_on)
        with self._lock:
            if not all(each in self.classes for each in known):
                return self.say("A class was cleared meanwhile, so train from scratch again.")
            self._scratch = known, network
        self._fit_head()
        scores = [f"{name} {good} of {many}" for name, (good, many) in self.held_back().items()]
        alike = " Pictures of one press are nearly alike: new ones are harder."
        return self.say(
            f"Right on pictures held back: {', '.join(scores)}. From scratch gets {right:.0%} of "
            f"what it learned from.{alike if self._pressed else ''}"
        )

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _rival(self, count: int, pairs: list, goes_on: Callable) -> tuple[nn.Module, float]:
        """The network trained from random weights, and the share of its pictures it gets right."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = self._build(count)
        network.preprocess = copy.deepcopy(self._prepare)
        pixels = torch.from_numpy(np.stack([picture for picture, _ in pairs]))
        labels = torch.tensor([label for _, label in pairs])
        return network, _train(network, pixels, labels, self._seconds, goes_on)

    def keep(self, path: str | Path = FOLDER) -> str:
        """Write every picture to ``path/CLASS/0001.jpg`` …, ready for ``tasks.folder``.

        Nothing is overwritten, and what was written there before is not written again. Returns
        where. Raises ``StorageError``.
        """
        root, written = store.user_path(path).resolve(), 0
        with self._lock:
            folders = [root / name for name in _folder_names([c.name for c in self.classes])]
            every = [
                (one, folder)
                for each, folder in zip(self.classes, folders, strict=True)
                for one in each.examples
            ]
        try:
            for one, folder in every:
                if one.kept is None or one.kept.parent != folder or not one.kept.exists():
                    one.kept = _written(one.source, folder)
                    written += 1
        except OSError as error:
            cause = f"{written} of {len(every)} were written, then: {error.strerror or error}"
            raise store.StorageError(f"pictures in {root}", cause, "Try another folder") from error
        if not every:
            return self.say("There are no pictures to keep yet.")
        return self.say(f"Kept in {root}: {len(every)} pictures, {written} of them new.")

    def rename(self, place: int, name: str) -> None:
        """Call the class at ``place`` by another name. Raises ``BadInput``."""
        with self._lock:
            self.classes[place].name = self._proper(name, self.classes[place])

    def new(self) -> None:
        """One more class, with a name that none has. Raises ``BadInput`` beyond eight."""
        with self._lock:
            taken = {each.name.casefold() for each in self.classes}
            free = (f"class {n}" for n in range(len(taken) + 1, 99) if f"class {n}" not in taken)
            self.classes.append(Named(self._proper(next(free))))

    def clear(self, place: int) -> None:
        """Forget the pictures of the class at ``place``, and what a network learned of it."""
        with self._lock:
            old = self.classes[place]
            self._seen -= {_digest(one.pixels) for one in old.examples}
            self.classes[place] = Named(old.name)
            self._head, self.shown = None, None
            if self._scratch and old in self._scratch[0]:
                self._scratch = None

    def _add_folder(self, folder: Path) -> None:
        try:
            place = self._place(folder.name, reuse=True)
        except store.BadInput as error:
            self._left.setdefault(f"{error.thing}: {error.cause}", []).append(folder.name)
        else:
            self._add_files(_inside(folder), place)

    def _add_files(self, files: Iterable[str | Path | bytes], place: int) -> None:
        for count, one in enumerate(files, 1):
            if self.stopped:
                return
            if isinstance(one, bytes):
                self._take(f"picture {count}", place, partial(bytes, one))
            else:
                self._take(Path(one).name, place, partial(_content, Path(one)), Path(one))
            if not count % 10:
                self.say(self._account())

    def _take(
        self, name: str, place: int, content: Callable[[], bytes], path: Path | None = None
    ) -> None:
        """Teach the picture of one file, or note why not."""
        try:
            self._teach(content(), place, path, once=True)
            self._taken += 1
        except store.BadInput as error:
            cure = "" if error.cure == SAVE_AGAIN else f". {error.cure}"
            self._left.setdefault(error.cause + cure, []).append(name)
        except OSError as error:
            self._left.setdefault(error.strerror or str(error), []).append(name)

    def _account(self) -> str:
        """How many files were taken, and which not."""
        many = sum(map(len, self._left.values()))
        reasons = [f"{len(n)} × {why}: {store.some(n, str)}" for why, n in self._left.items()]
        left = f" Left out: {many}. {'; '.join(reasons)}." if many else ""
        return f"Pictures added: {self._taken}.{left}"

    def _teach(self, data: Any, place: int, path: Path | None = None, once: bool = False) -> None:
        pixels, owner = read_picture(data, self._size), self.classes[place]
        known = _digest(pixels)
        if once and known in self._seen:
            raise refused("the same picture is there already", "Leave it out")
        if len(owner.examples) >= MOST:
            raise refused(f"{MOST} pictures of a class are enough", "Leave it out")
        features = self._features(pixels)
        with self._lock:
            if owner not in self.classes:
                raise refused("its class was cleared meanwhile", "Add it again")
            self._seen.add(known)
            held = len(owner.examples) % FIFTH == FIFTH - 1
            source = path.resolve() if path else bytes(data)
            owner.examples.append(Example(pixels, features, source, held))

    def _features(self, pixels: np.ndarray) -> np.ndarray:
        with self._lock, torch.inference_mode():
            return self._backbone(self._prepare(torch.tensor(pixels)[None]))[0].float().numpy()

    def _fit_head(self) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        from tl_course.features.scaling import SteadyScaler

        with self._fitting:
            with self._lock:
                known = [*self.classes]
                pairs = [(o, i) for i, c in enumerate(known) for o in c.examples if not o.held]
            head, labels = None, [label for _, label in pairs]
            if len({*labels}) > 1:
                # features outnumber pictures, so that any C fits them all; a small one keeps
                # weights small, and probabilities from jumping to 0 or 1 when a hand moves
                rule = LogisticRegression(C=0.01, class_weight="balanced", max_iter=300)
                head = make_pipeline(SteadyScaler(), rule)
                head.fit(np.stack([one.features for one, _ in pairs]), labels)
            with self._lock:
                if self.classes[: len(known)] == known:  # none was cleared meanwhile
                    self._head = head
                    if self.shown:
                        pixels, caption, _ = self.shown
                        self.shown = pixels, caption, self._answers(pixels)

    def _answers(self, pixels: np.ndarray, features: np.ndarray | None = None) -> Answers:
        with self._lock:
            head, scratch, classes = self._head, self._scratch, [*self.classes]
        found: Answers = {}
        if head is not None:
            features = self._features(pixels) if features is None else features
            values = head.predict_proba(features[None])[0].tolist()
            by_place = dict(zip(head.classes_.tolist(), values, strict=True))
            found["pretrained"] = [by_place.get(place) for place in range(len(classes))]
        if scratch is not None:
            known, network = scratch
            with torch.inference_mode():
                logits = network(network.preprocess(torch.tensor(pixels)[None]))[0]
            by_class = dict(zip(map(id, known), logits.softmax(0).tolist(), strict=True))
            found["from scratch"] = [by_class.get(id(each)) for each in classes]
        return found

    def _by_name(self, answers: Answers) -> dict[str, dict[str, float]]:
        names = [each.name for each in self.classes]
        return {
            network: {n: p for n, p in zip(names, values, strict=False) if p is not None}
            for network, values in answers.items()
        }

    def _next_drawing(self) -> tuple[bytes, int]:
        place = self._drawn % len(DRAWN)
        labels = np.array([materials.CLASSES.index(DRAWN[place])])
        (picture,) = materials.pictures(labels, CHANCE, self._size, self._drawn)
        self._drawn += 1
        return encoded(picture, "PNG"), place

    def _proper(self, name: object, owner: Named | None = None) -> str:
        """A name as it may be shown, for ``owner`` or a new class. Raises ``BadInput``."""
        text = " ".join("".join(c if c.isprintable() else " " for c in str(name)).split())
        others = [each.name.casefold() for each in self.classes if each is not owner]
        causes = {
            "it must be a text with a letter": not isinstance(name, str) or not text,
            f"it has {len(text)} letters, {LONGEST} are the most": len(text) > LONGEST,
            "another class has this name": text.casefold() in others,
            f"{MOST_CLASSES} classes are the most": len(others) >= MOST_CLASSES,
        }
        for cause in (cause for cause, holds in causes.items() if holds):
            raise store.BadInput(f"the class {text!r:.60}", cause, "Choose another name")
        return text

    def _place(self, name: str, reuse: bool = False) -> int:
        """Where the class of this name is; else a new one or, to ``reuse``, the first empty one."""
        with self._lock:
            names = [each.name.casefold() for each in self.classes]
            if isinstance(name, str) and name.strip().casefold() in names:
                return names.index(name.strip().casefold())
            empty = [place for place, each in enumerate(self.classes) if not each.examples]
            if reuse and empty:
                self.rename(empty[0], name)
                return empty[0]
            self.classes.append(Named(self._proper(name)))
            return len(self.classes) - 1


def encoded(pixels: np.ndarray, kind: str, side: int | None = None) -> bytes:
    """Pixels, uint8 (3, H, W), as a file of a ``kind``, on request ``side`` × ``side`` large."""
    from PIL import Image

    buffer, picture = io.BytesIO(), Image.fromarray(pixels.transpose(1, 2, 0))
    (picture.resize((side, side)) if side else picture).save(buffer, kind)
    return buffer.getvalue()


def _digest(pixels: np.ndarray) -> bytes:
    return hashlib.sha256(pixels.tobytes()).digest()


def _for_pictures(model: nn.Module) -> models.Preprocess:
    """The preprocessing of a network for pictures. Raises ``BadInput`` for another."""
    models.classifier(model)  # raises for what has no head
    if not isinstance(model.preprocess, models.Preprocess) or models.answers(model) != 1:
        kind = f"this {type(model).__name__}"
        raise store.BadInput(kind, "it does not name pictures", 'Pass models.load("lite0")')
    return copy.deepcopy(model.preprocess)


def _builder(model: nn.Module) -> Callable[[int], nn.Module]:
    """What builds the same network with random weights and so many outputs."""
    name = backbones.name(model) if backbones.known(model) else "resnet10"
    if not backbones.known(model) and not isinstance(model, models.ResNet10):
        cause = "the course does not know how to build it with random weights"
        cure = "Pass scratch=, a function from the number of classes to such a network"
        raise store.BadInput(f"this {type(model).__name__}", cause, cure)
    return lambda count: surgery.replace_head(models.load(name, pretrained=False), count)


def _train(
    network: nn.Module,
    pixels: torch.Tensor,
    labels: torch.Tensor,
    seconds: float,
    goes_on: Callable[[float, float], bool],
) -> float:
    """All weights, until the pictures are known by heart; returns the share that is right then.

    ``goes_on`` is asked after each pass, with the seconds so far and that share while it learns.
    """
    began, chance, right = time.monotonic(), torch.Generator().manual_seed(0), 0.0
    order = torch.arange(len(labels))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    network.train()
    loss, passed = math.inf, 0.0
    while loss > KNOWN and passed < seconds and goes_on(passed, right):
        loss = right = 0.0
        for part in order[torch.randperm(len(order), generator=chance)].tensor_split(
            math.ceil(len(order) / BATCH)
        ):
            logits = network(network.preprocess(pixels[part]))
            cost = F.cross_entropy(logits, labels[part])
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            loss += cost.item() * len(part) / len(order)
            right += (logits.argmax(1) == labels[part]).float().sum().item() / len(order)
            passed = time.monotonic() - began
            if passed > seconds:
                break
    return _settled(network, pixels, labels)


@torch.inference_mode()
def _settled(network: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> float:
    """Its BatchNorm statistics from all pictures; returns the share that it gets right.

    A few steps leave running averages near where they began, and a rival would lose by that.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain average
    parts = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)).split(2 * BATCH)
    for part in parts:
        network(network.preprocess(pixels[part]))
    network.eval()
    right = [network(network.preprocess(pixels[p])).argmax(1) == labels[p] for p in parts]
    return torch.cat(right).float().mean().item()


def _folders(root: Path | None) -> Iterator[Path]:
    """The folders of ``root`` that may be classes. Raises ``BadInput`` where there are none."""
    found = sorted(p for p in root.iterdir() if p.is_dir()) if root and root.is_dir() else []
    seen = [p for p in found if not hidden(p.name)]
    if not seen:
        cause = "it has no folder of pictures for each class"
        raise store.BadInput(f"{str(root)!r}", cause, "Pass such a folder, or label= as well")
    yield from seen


def _inside(root: Path) -> Iterator[Path]:
    """The files of a class's folder in order, without what systems leave there."""
    for path in sorted(root.rglob("*")):
        here = path.relative_to(root).parts
        if path.is_file() and not any(map(hidden, here)) and path.name.lower() not in IGNORED:
            yield path


def _content(path: Path) -> bytes:
    if path.suffix.lower() not in ENDINGS:
        raise refused("not a picture by its ending")
    if path.stat().st_size > HEAVIEST:
        raise refused("it is too large for a picture")
    return path.read_bytes()


def _folder_names(names: Iterable[str]) -> list[str]:
    """Names that any system allows for folders and ``tasks.folder`` takes for classes."""
    found: list[str] = []
    for name in names:
        safe = re.sub(r"[^\w -]+", "_", name).strip(" _.") or "class"
        special = SPLIT.fullmatch(folded(safe)) or hidden(safe)
        safe = f"my_{safe}" if special or safe.casefold() in RESERVED else safe
        taken = {each.casefold() for each in found}
        others = (f"{safe}_{n}" for n in range(2, MOST_CLASSES + 2))
        found.append(next(n for n in (safe, *others) if n.casefold() not in taken))
    return found


def _written(source: bytes | Path, folder: Path) -> Path:
    """A copy of an original as the first free number of ``folder``."""
    from PIL import Image

    data = source if isinstance(source, bytes) else source.read_bytes()
    kind = Image.open(io.BytesIO(data)).format or "JPEG"
    ending = {"JPEG": ".jpg", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while any(folder.glob(f"{number:04d}.*")):
        number += 1
    path = folder / f"{number:04d}{ending}"
    with path.open("xb") as file:
        file.write(data)
    return path
