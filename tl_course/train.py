"""Training and measuring: ``fit`` learns on ``task.train`` and chooses on ``task.val``."""

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tl_course import features, models, store, surgery
from tl_course.tasks import Split, Task


@dataclass(frozen=True)
class Scores:
    """How a model does on one split. ``accuracy`` is in [0, 1]; ``loss`` is the mean cross-entropy
    of an answer in nats; ``answers`` and ``labels`` are int64 (N,), as the model's outputs count.

    Where an input has K answers they are (N, K), and only an input whose K answers are all right
    counts as right (exact match).
    """

    accuracy: float
    loss: float
    answers: torch.Tensor
    labels: torch.Tensor

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.labels)

    @cached_property
    def balanced_accuracy(self) -> float:
        """Mean over the classes of the share answered right, in [0, 1]. Inputs with K answers
        have no class of their own; then it is the accuracy.
        """
        if self.labels.ndim > 1:
            return self.accuracy
        right = _right(self.answers, self.labels).double()
        per_class = [right[self.labels == label].mean() for label in self.labels.unique()]
        return float(torch.stack(per_class).mean())

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy, from the size of the split alone."""
        from scipy.stats import binomtest

        right = int(_right(self.answers, self.labels).sum())
        found = binomtest(right, self.n).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def __repr__(self) -> str:
        return f"Scores(accuracy={self.accuracy:.3f}, loss={self.loss:.3f}, n={self.n})"


@dataclass(frozen=True)
class History:
    """What happened in ``fit``, one entry an epoch. Accuracies are in [0, 1], losses in nats.

    ``best_epoch`` counts from 1; its weights are those the model holds now. 0 is the start: none
    finished, or none was as good. With ``fit(keep="last")`` it is the last one.
    ``cached`` names the frozen stages that ran once instead of every epoch.
    ``stopped`` says why training ended early, or is empty.
    """

    train_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    val_loss: tuple[float, ...]
    val_accuracy: tuple[float, ...]
    seconds: float
    best_epoch: int
    device: str
    dtype: str
    cached: tuple[str, ...]
    stopped: str

    def __repr__(self) -> str:
        best = f"best val accuracy {max(self.val_accuracy):.3f}" if self.val_accuracy else "empty"
        kept = f" at epoch {self.best_epoch}" if self.best_epoch else ", the start is kept"
        early = f", {self.stopped}" if self.stopped else ""
        return f"History({len(self.val_accuracy)} epochs, {best}{kept}{early})"


class Epoch(NamedTuple):
    """What one epoch gave: entries of ``History``, in its order."""

    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


DTYPES = (torch.float32, torch.bfloat16, torch.float16)
Change = Callable[[torch.Tensor], torch.Tensor]
Penalty = Callable[[nn.Module], torch.Tensor]
Watch = Callable[[int, Epoch], None]


def pick_device() -> torch.device:
    """The fastest device there is: CUDA, Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        try:
            torch.ones(1, device="cuda").sum().item()
        except RuntimeError:  # a card too old for this build of torch
            return torch.device("cpu")
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def pick_dtype(device: torch.device, model: nn.Module | None = None) -> torch.dtype:
    """bfloat16 where the hardware computes ``model`` faster in it, else float32.

    On CPUs that is AMX (Intel) or AVX-512 BF16 (AMD, Intel); others get slower with bfloat16.
    Recurrent networks, which take many small steps, stay in float32.
    """
    if model is not None and any(isinstance(part, nn.RNNBase) for part in model.modules()):
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float32
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    gains = any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return torch.bfloat16 if device.type == "cpu" and gains else torch.float32


def fit(
    model: nn.Module,
    task: Task,
    epochs: int = 10,
    lr: float | Mapping[str, float] = 1e-3,
    batch: int = 32,
    weight_decay: float = 0.01,
    augment: Change | None = None,
    penalty: Penalty | None = None,
    watch: Watch | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    cache: bool = True,
    keep: str = "best",
    progress: bool | str = True,
) -> History:
    """Train what is not frozen on ``task.train``; keep the epoch that is best on ``task.val``.

    A model that has the task's classes already is kept as it is where no epoch is as accurate;
    with a new head there is nothing to keep. ``keep="last"`` keeps the last epoch, however bad.
    AdamW, learning rate falling to zero along a cosine. ``lr`` is one rate or one for each stage
    name. ``augment`` maps uint8 pictures (N, 3, H, W) to the same. What ``penalty(model)`` gives,
    a tensor of one number, is added to the loss of every step. ``watch(number, epoch)`` is
    called after every epoch. Frozen stages keep their BatchNorm statistics, and run once instead
    of every epoch unless ``augment`` forbids it.
    ``seed`` orders the batches; what ``augment`` draws follows torch's global generator, which
    stays yours to seed. ``progress`` may be a title for the bar. Ctrl-C ends training
    and returns the history so far, with the best weights (those it started with, if no epoch
    ended). A loss or weight that is not finite ends it too, with a warning. Changes ``model`` in
    place and leaves it in eval mode on ``device``; its ``classes`` are then the task's. Raises
    ``BadInput`` for what cannot be trained, and gives a ``models.PreprocessingWarning`` for inputs
    that do not suit the model's preprocessing. An error before the end of the first epoch leaves
    the model as it was.
    """
    epochs, batch = store.whole("epochs", epochs), store.whole("batch", batch)
    seed = store.whole("seed", seed, least=0, most=2**64 - 1)
    weight_decay = store.number("weight_decay", weight_decay, least=0)
    _check(model, task)
    _check_kinds(bool, cache=cache)
    _check_kinds(bool | str, progress=progress)
    _check_kinds(Callable | None, augment=augment, penalty=penalty, watch=watch)
    keep = store.choose("way to keep", keep, ("best", "last"))
    place = _device(device)
    dtype = pick_dtype(place, model) if dtype is None else dtype
    if not isinstance(dtype, torch.dtype) or dtype not in DTYPES:
        raise store.BadInput(
            f"dtype={dtype!r:.60}", "training runs in float32, bfloat16 or float16", "Leave it out"
        )
    optimizer = torch.optim.AdamW(surgery.param_groups(model, lr), weight_decay=weight_decay)
    batch = min(batch, len(task.train))
    steps = epochs * math.ceil(len(task.train) / batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    models.warn_of_disagreement(model, task.train.inputs, task.classes)
    autocast = torch.autocast(place.type, dtype, enabled=dtype != torch.float32)
    order = torch.Generator().manual_seed(seed)
    began = time.perf_counter()
    with _keeping(model, task) as kept:
        model.to(place, memory_format=torch.channels_last)
        caching = cache and augment is None
        prefix = features.split_prefix(model, task.train.inputs) if caching else None
        with autocast:
            inputs, val_inputs = (
                (prefix.apply(split.inputs) if prefix else split.inputs).to(place)
                for split in (task.train, task.val)
            )
        labels = task.train.labels.to(place)

        def forward(inputs: torch.Tensor) -> torch.Tensor:
            with autocast:
                logits = prefix.above(inputs) if prefix else model(model.preprocess(inputs))
            return logits.float()

        def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for chosen in torch.randperm(len(labels), generator=order).split(batch):
                yield inputs[chosen] if augment is None else augment(inputs[chosen]), labels[chosen]

        def validate() -> Scores:
            logits = features.run(model.eval(), forward, val_inputs)
            return score(logits, task.val.labels)

        def one_epoch() -> Epoch:
            learned = _learn(model, forward, batches(), optimizer, schedule, penalty)
            val = validate()
            return Epoch(*learned, val.loss, val.accuracy)

        rows, stopped = _train(model, kept, one_epoch, validate, epochs, watch, keep, progress)
    columns = {name: tuple(getattr(row, name) for row in rows) for name in Epoch._fields}
    return History(
        **columns,
        seconds=time.perf_counter() - began,
        best_epoch=kept.epoch,
        device=str(place),
        dtype=str(dtype).removeprefix("torch."),
        cached=prefix.names if prefix else (),
        stopped=stopped,
    )


@dataclass
class _Kept:
    """The weights that a model holds in the end: those of ``epoch``, of which 0 is the start."""

    weights: dict[str, torch.Tensor]
    known: bool  # whether the start's outputs mean the task's classes already
    epoch: int = 0
    key: tuple[float, ...] = (-math.inf,)

    def take(self, model: nn.Module, epoch: int, key: tuple[float, ...]) -> None:
        if key > self.key:
            self.epoch, self.key = epoch, key
            for name, value in model.state_dict().items():
                self.weights[name].copy_(value)


@contextmanager
def _keeping(model: nn.Module, task: Task) -> Iterator[_Kept]:
    """Give what ``model`` holds afterwards; it is all as it was where an error comes first."""
    classes = tuple(task.classes)
    known = not hasattr(model, "classes") or models.class_names(model) == classes
    kept = _Kept({name: value.clone() for name, value in model.state_dict().items()}, known)
    home, ready = next(model.parameters()).device, model.preprocess
    notes = [(part, {**vars(part)}) for part in model.modules()]
    ended = False
    try:
        vars(model).pop("saved", None)  # what it learns now is no longer what models.save kept
        model.classes = classes
        models.note_files(model, task.train.inputs)
        yield kept
        ended = True
    finally:
        model.load_state_dict(kept.weights)
        if not kept.epoch:
            for part, before in notes:
                vars(part).clear()
                vars(part).update(before)
            model.preprocess = ready
        if kept.epoch or ended:
            model.eval()
        else:
            model.to(home)


def _train(
    model: nn.Module,
    kept: _Kept,
    one_epoch: Callable[[], Epoch],
    validate: Callable[[], Scores],
    epochs: int,
    watch: Watch | None,
    keep: str,
    progress: bool | str,
) -> tuple[list[Epoch], str]:
    """What each epoch gave, and why training ended early."""
    rows: list[Epoch] = []
    stopped = ""
    title = progress if isinstance(progress, str) else "training"
    bar = tqdm(range(1, epochs + 1), title, unit="epoch", disable=not progress)
    try:
        if kept.known and keep == "best":
            kept.key = (validate().accuracy,)  # below that of any epoch as accurate
        for number in bar:
            epoch = one_epoch()
            if fault := _not_finite(model, epoch):
                stopped = f"{fault} not finite in epoch {number}"
                cure = "try a lower learning rate, or dtype=torch.float32"
                warnings.warn(f"{stopped}; {cure}", stacklevel=3)
                break
            rows.append(epoch)
            best = (epoch.val_accuracy, -epoch.val_loss)
            kept.take(model, number, best if keep == "best" else (number,))
            if watch is not None:
                watch(number, epoch)
            bar.set_postfix(train=f"{epoch.train_accuracy:.2f}", val=f"{epoch.val_accuracy:.2f}")
    except KeyboardInterrupt:
        stopped = f"interrupted in epoch {len(rows) + 1}"
    finally:
        bar.close()
    return rows, stopped


def _not_finite(model: nn.Module, epoch: Epoch) -> str:
    """What an epoch has spoiled; a weight that meets zeros alone may be, and no loss shows it."""
    if not math.isfinite(epoch.train_loss + epoch.val_loss):
        return "loss was"
    whole = all(value.isfinite().all() for value in model.state_dict().values())
    return "" if whole else "weights were"


def _learn(
    model: nn.Module,
    forward: Change,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    penalty: Penalty | None,
) -> tuple[float, float]:
    """One epoch of training: the mean loss and the accuracy on the way."""
    surgery.train_mode(model)
    total, right, count = 0.0, 0, 0
    for inputs, labels in batches:
        try:
            logits = forward(inputs)
            loss = _loss(logits, labels)
        except ValueError as error:  # too few for BatchNorm, or not one for each label
            if isinstance(error, store.BadInput):
                raise
            cause = f"{len(inputs)} inputs cannot be learned from ({error})"
            raise store.BadInput(f"a batch of {len(labels)}", cause, "Change batch") from error
        if penalty is not None:
            added = penalty(model)
            if not isinstance(added, torch.Tensor | Real) or torch.as_tensor(added).numel() != 1:
                cause = f"it gives {added!r:.60}, and not one number"
                raise store.BadInput("this penalty", cause, "Add up what it computes")
            loss = loss + added
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.detach() * len(labels)
        right += _right(logits.detach().argmax(-1), labels).sum()
        count += len(labels)
    return float(total) / count, int(right) / count


def l2_sp(model: nn.Module, strength: float) -> Penalty:
    """A ``penalty`` for ``fit`` that holds weights near where they are now.

    ``strength`` / 2 times the squared distance of the weights trained from their values at this
    moment (L2-SP, Li et al. 2018, arXiv:1802.01483); a head that is replaced later is left out.
    Raises ``BadInput`` for a strength below 0.
    """
    surgery.stages(model)  # raises for what is no network
    strength = store.number("strength", strength, least=0)
    start = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}

    def penalty(moved: nn.Module) -> torch.Tensor:
        pulls = [
            (p - start[n].to(p.device)).square().sum()
            for n, p in moved.named_parameters()
            if n in start and start[n].shape == p.shape
        ]
        return strength / 2 * sum(pulls)

    return penalty


def _check_kinds(kind: Any, **given: object) -> None:
    for name, value in given.items():
        if not isinstance(value, kind):
            raise store.BadInput(
                f"{name}={value!r:.60}", "it is of another kind than fit takes", "Leave it out"
            )


def _check(model: nn.Module, task: Task) -> None:
    if not isinstance(task, Task):
        raise store.BadInput(
            f"a {type(task).__name__} as task", "fit needs a whole task", "Pass the Task itself"
        )
    outputs = models.outputs(model)
    if outputs != len(task.classes):
        raise store.BadInput(
            f"task {task.name!r} with {len(task.classes)} classes",
            f"the model's head has {outputs} outputs",
            "Call surgery.replace_head(model, len(task.classes)) first",
        )
    for split in (task.train, task.val):
        _check_split(model, split)
        _check_range(split, outputs)


def _check_split(model: nn.Module, split: Split) -> None:
    given = models.answers(model)
    if not isinstance(split, Split):
        raise store.BadInput(
            f"a {type(split).__name__} as split",
            "it has no inputs and labels",
            "Pass one part of a task, such as task.test",
        )
    if not len(split):
        raise store.BadInput("a split", "it holds no examples", "Pass one that does")
    if split.labels[0].numel() != given:
        raise store.BadInput(
            f"a split with {split.labels[0].numel()} answers an input",
            f"this {type(model).__name__} gives {given}",
            "Pass a split made for this model",
        )


def _check_range(split: Split, count: int) -> None:
    low, high = int(split.labels.min()), int(split.labels.max())
    if low < 0 or high >= count:
        raise store.BadInput(
            f"a split with labels from {low} to {high}",
            f"{count} outputs, or names, are numbered from 0 to {count - 1}",
            "Call surgery.replace_head with the number of classes, and train",
        )


def _matched(model: nn.Module, split: Split) -> torch.Tensor:
    """The labels of ``split`` as the outputs of ``model`` count, by name where both have names."""
    ours, theirs = models.class_names(model), split.classes
    if not ours or not theirs or ours == theirs:
        _check_range(split, models.outputs(model))
        return split.labels
    _check_range(split, len(theirs))
    used, labels = split.labels.unique(return_inverse=True)
    return torch.tensor(models.places(ours, [theirs[label] for label in used]))[labels]


def _device(wanted: torch.device | str | None) -> torch.device:
    if wanted is None:
        return pick_device()
    try:
        device = torch.device(wanted)
        torch.ones(1, device=device).item()  # as "meta" cannot
    except (RuntimeError, AssertionError, TypeError, ValueError, NotImplementedError):
        cause = "this machine computes on none of that name"
        raise store.BadInput(f"device {wanted!r}", cause, "Leave device out") from None
    return device


def _loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten())


def _right(answers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Which inputs have all their answers right: bool (N,)."""
    return (answers == labels).view(len(labels), -1).all(1)


def score(logits: torch.Tensor, labels: torch.Tensor) -> Scores:
    """``Scores`` of logits, float (N, classes) or (N, K, classes), and labels as in ``Split``.

    Over all examples at once, never as a mean over unequal batches.
    """
    answers = logits.argmax(-1)
    return Scores(
        accuracy=int(_right(answers, labels).sum()) / len(labels),
        loss=float(_loss(logits, labels)),
        answers=answers.cpu(),
        labels=labels.cpu(),
    )


def evaluate(model: nn.Module, split: Split) -> Scores:
    """How ``model`` does on ``split``, in eval mode; the model is left as it was.

    Where model and split both know their classes, labels and outputs are matched by name. Raises
    ``BadInput`` for classes that the model does not have, an empty split or more labels than
    outputs, and where ``predict`` does; warns of inputs that do not suit the model, as ``fit``.
    """
    _check_split(model, split)
    labels = _matched(model, split)
    models.warn_of_disagreement(model, split.inputs)
    return score(_logits(model, split.inputs), labels)


def predict(
    model: nn.Module, inputs: torch.Tensor, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """Class probabilities, float32 (N, classes) on the CPU, for raw ``inputs`` as in ``Split``.

    Computed in ``dtype``, by default what is fastest here (see ``pick_dtype``); in float32 other
    machines and exported models give the same. A reader of numbers gives (N, 4, 10): ten
    probabilities for each digit. Raises ``BadInput`` for a model of ``models.open`` whose
    preprocessing or classes are no longer those it was saved with.
    """
    surgery.stages(model)  # raises, and says what it lacks
    return _logits(model, inputs, dtype).softmax(-1)


def _logits(
    model: nn.Module, inputs: torch.Tensor, dtype: torch.dtype | None = None
) -> torch.Tensor:
    models.check_saved(model)
    device = next(model.parameters()).device
    dtype = dtype or pick_dtype(device, model)
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        logits = features.run(model, lambda part: model(model.preprocess(part)), inputs)
    if not logits.isfinite().all():
        raise store.BadInput(
            f"this {type(model).__name__}",
            "its answers are not finite numbers, as after training with too high a learning rate",
            "Load it again and train with a lower rate",
        )
    return logits
