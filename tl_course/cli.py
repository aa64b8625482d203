"""The ``tl-course`` command. Everything heavy is imported inside the subcommand that needs it."""

import argparse
import dataclasses
import itertools
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tl-course``; returns the exit status. The course's own errors are one line."""
    for stream in (sys.stdout, sys.stderr):
        # a Windows console may lack a character such as an arrow
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    options.rest = rest
    if options.rest and options.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(options.rest)}")
    from tl_course import store

    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # who reads, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (store.CourseError, OSError) as error:
        print(f"tl-course: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntl-course: stopped; nothing half-written was left behind", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tl-course", description="Transfer learning you can see, on your laptop."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    lab = commands.add_parser("lab", help="open the lessons in JupyterLab")
    lab.add_argument("--dir", help="copy the lessons there first; never overwrites your work")
    lab.add_argument("--copy-only", action="store_true", help="copy, but do not open JupyterLab")
    lab.epilog = "Further options go to JupyterLab, for example --no-browser or --port 9000."
    lab.set_defaults(run=_lab)

    doctor = commands.add_parser("doctor", help="check this machine, and say what to do")
    doctor.set_defaults(run=_doctor)

    prefetch = commands.add_parser("prefetch", help="fill the cache for a class without network")
    default = "default: the data sets and resnet18"
    prefetch.add_argument("names", nargs="*", metavar="NAME", help=default)
    prefetch.add_argument("--list", action="store_true", help="show names, sizes and what is there")
    prefetch.set_defaults(run=_prefetch)

    networks = commands.add_parser("models", help="every network: purpose, size, licence, head")
    networks.add_argument("--json", action="store_true", help="a list of objects, for programs")
    networks.set_defaults(run=_models)

    predict = commands.add_parser("predict", help="what a saved model says of your pictures")
    written = "a file that models.save or export wrote"
    predict.add_argument("model", metavar="MODEL", help=written)
    shown = "a file: JPEG, PNG, …, or a folder of them"
    predict.add_argument("pictures", nargs="+", metavar="PICTURE", help=shown)
    predict.add_argument("--best", type=_count, default=3, metavar="N", help="classes to show (3)")
    predict.add_argument("--json", action="store_true", help="a list of objects, for programs")
    predict.set_defaults(run=_predict)

    export = commands.add_parser("export", help="a saved model as ONNX, for other programs")
    export.add_argument("model", metavar="MODEL", help="a file that models.save wrote")
    export.add_argument("out", metavar="OUT", help="the ONNX file to write")
    export.set_defaults(run=_export)

    claims = commands.add_parser("claims", help="every claim and what the course found")
    claims.add_argument("--json", action="store_true", help="a list of objects, for programs")
    claims.set_defaults(run=_claims)
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _print_json(rows: Iterable[dict]) -> int:
    print(json.dumps([*rows], indent=1))
    return 0


def _lab(options: argparse.Namespace) -> int:
    from tl_course import lab

    folder = lab.place(options.dir)
    return 0 if options.copy_only else lab.open_lab(folder, options.rest)


def _doctor(options: argparse.Namespace) -> int:
    from tl_course import doctor

    findings = doctor.examine()
    for finding in findings:
        print(finding)
    problems = sum(finding.level == "problem" for finding in findings)
    print(f"{problems} problems" if problems else "Ready: every lesson can run on this machine.")
    return int(problems > 0)


def _prefetch(options: argparse.Namespace) -> int:
    from tl_course import models, store
    from tl_course.models import hub

    published = store.published()
    table = models.catalogue()
    sizes = {name: entry.download * 1e6 for name, entry in table.items() if entry.repository}
    sizes |= {name: entry.size_bytes or 0 for name, entry in published.items()}
    names = [store.choose("file", name, [*published, *sizes]) for name in options.names]
    # networks that no lesson needs are large: only for those who name them
    names = names or [name for name in sizes if options.list or name not in table]
    names += [] if options.names or options.list else ["resnet18"]
    failed = 0
    for name in sorted(names, key=[*published, *table].index):
        room = store if name in published else hub
        if options.list:
            where = room.locate(name) or "not here"
            size = f"{sizes[name] / 1e6:7.1f} MB" if sizes[name] else "   size unknown"
            print(f"{name:15} {size:>15}  {where}")
            continue
        try:
            print(f"{name}: {room.fetch(name)}")
        except store.CourseError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    return int(failed > 0)


def _models(options: argparse.Namespace) -> int:
    from tl_course import models

    entries = models.catalogue().values()
    if options.json:
        return _print_json(map(dataclasses.asdict, entries))
    for entry in entries:
        size = f"{entry.download} MB" if entry.download else "in the package"
        kind = f"{entry.family} for {entry.purpose}"
        print(f"{entry.name:28} {kind}, {entry.parameters:,} parameters")
        print(f"{'':28} {size} · {entry.licence} · head: {entry.head}")
        print(f"{'':28} {entry.source}")
    print(f"{'timm/NAME':28} nearly any convolutional network of timm, with weights from the hub")
    return 0


def _predict(options: argparse.Namespace) -> int:
    from tl_course import store

    classes, size, answer = _opened(options.model)
    rows: list[dict] = []
    for name in itertools.chain(*map(_inside, options.pictures)):
        try:
            picture = _picture(name, size)
        except (store.BadInput, OSError) as error:
            told = error.cause if isinstance(error, store.CourseError) else error.strerror
            cause = told or str(error)
            rows.append({"picture": name, "error": cause})
            print(f"{name}: {cause}", file=sys.stderr)
            continue
        shares = zip(answer(picture)[0].tolist(), classes, strict=True)
        best = sorted(shares, key=lambda pair: -pair[0])[: options.best]
        found = [{"class": label, "probability": share} for share, label in best]
        rows.append({"picture": name, "best": found})
        if not options.json:
            print(f"{name}: {' · '.join(f'{label} {share:.2f}' for share, label in best)}")
    if options.json:
        _print_json(rows)
    return int(any("error" in row for row in rows))


def _opened(name: str) -> tuple[Sequence[str], int, Callable]:
    """A model's classes, the side to read pictures at, and what gives their probabilities."""
    import torch

    from tl_course import models, store, train
    from tl_course.models import exported

    if store.user_path(name).suffix == exported.SUFFIX:
        taken_home = exported.read(name)
        return taken_home.classes, taken_home.read_size, taken_home.predict
    model = models.open(name)
    if not isinstance(model.preprocess, models.Preprocess) or models.answers(model) > 1:
        cause = "it reads no pictures, or finds several things in one"
        raise store.BadInput(f"the model {name!r}", cause, "Pass one that does")
    answer = partial(train.predict, model, dtype=torch.float32)  # as on every machine
    return model.classes, model.preprocess.read_size, answer


def _inside(name: str) -> list[str]:
    """The pictures in the folder of this name, in order; the name where there are none."""
    from tl_course import store
    from tl_course.tasks.folder import ENDINGS

    files: list[Path] = []
    with suppress(store.BadInput, OSError):  # told with the other names that are no pictures
        path = store.user_path(name)
        files = sorted(path.iterdir()) if path.is_dir() else []
    pictures = [file for file in files if file.suffix.lower() in ENDINGS]
    return [str(file) for file in pictures if not file.name.startswith(".")] or [name]


def _picture(name: str, size: int):
    """The picture in a file as tasks.folder reads it: uint8 (1, 3, size, size)."""
    import torch

    from tl_course import store, tasks

    path = store.user_path(name)
    if path.exists() and not path.is_file():
        cause = "it is not a file, nor a folder with pictures in it"
        raise store.BadInput(f"picture {name!r}", cause, "Pass the files themselves")
    # a copy, as the array is read-only
    return torch.tensor(tasks.read_picture(path.read_bytes(), size)[None])


def _export(options: argparse.Namespace) -> int:
    from tl_course import models
    from tl_course.models import exported

    path = models.export(models.open(options.model), options.out)
    size, difference = path.stat().st_size / 1e6, exported.read(path).difference
    print(f"{path}: {size:,.1f} MB; its probabilities differ from PyTorch's by {difference:.0e}")
    return 0


def _claims(options: argparse.Namespace) -> int:
    from tl_course import evidence, lessons

    verdicts = lessons.table()
    if options.json:
        return _print_json(map(dataclasses.asdict, verdicts))
    for claim, verdict in zip(evidence.CLAIMS, verdicts, strict=True):
        print(f"{claim.id:11} {verdict.verdict:14} {claim.text}")
        if verdict.verdict != "open":
            _, *lines = f"{verdict}\nLesson {verdict.lesson}".splitlines()
            print(textwrap.indent("\n".join(lines), " " * 12))
    settled = sum(verdict.verdict != "open" for verdict in verdicts)
    print(f"{settled} of {len(verdicts)} claims settled so far")
    return 0


if __name__ == "__main__":
    sys.exit(main())
