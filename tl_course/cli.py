"""The ``tl-course`` command. Everything heavy is imported inside the subcommand that needs it."""

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tl-course``; returns the exit status. The course's own errors are one line."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    from tl_course import store

    for stream in (sys.stdout, sys.stderr):
        if hasattr(
            stream, "reconfigure"
        ):  # a Windows console may lack a character such as an arrow
            stream.reconfigure(errors="replace")
    try:
        return options.run(options, rest)
    except store.CourseError as error:
        print(f"tl-course: {error}", file=sys.stderr)
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
    prefetch.add_argument("names", nargs="*", metavar="NAME", help="default: everything")
    prefetch.add_argument("--list", action="store_true", help="show names, sizes and what is there")
    prefetch.set_defaults(run=_prefetch)

    claims = commands.add_parser("claims", help="every claim and what the course found")
    claims.add_argument("--json", action="store_true", help="a list of objects, for programs")
    claims.set_defaults(run=_claims)
    return parser


def _lab(options: argparse.Namespace, rest: list[str]) -> int:
    from tl_course import lab

    folder = lab.place(options.dir)
    if options.copy_only:
        return 0
    return lab.open_lab(folder, rest)


def _doctor(options: argparse.Namespace, rest: list[str]) -> int:
    from tl_course import doctor

    findings = doctor.examine()
    for finding in findings:
        print(finding)
    problems = sum(finding.level == "problem" for finding in findings)
    print(f"{problems} problems" if problems else "Ready: every lesson can run on this machine.")
    return int(problems > 0)


def _prefetch(options: argparse.Namespace, rest: list[str]) -> int:
    from tl_course import store

    catalogue = store.published()
    names = [store.choose("file", name, catalogue) for name in options.names] or [*catalogue]
    failed = 0
    for name in names:
        entry = catalogue[name]
        if options.list:
            where = store.locate(name) or "not here"
            size = f"{entry.size_bytes / 1e6:7.1f} MB" if entry.size_bytes else "   size unknown"
            print(f"{name:14} {size:>15}  {where}")
            continue
        try:
            print(f"{name}: {store.fetch(name)}")
        except store.CourseError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    return int(failed > 0)


def _claims(options: argparse.Namespace, rest: list[str]) -> int:
    import dataclasses
    import json

    from tl_course import evidence

    verdicts = evidence.table()
    if options.json:
        print(json.dumps([dataclasses.asdict(verdict) for verdict in verdicts], indent=1))
        return 0
    for claim, verdict in zip(evidence.CLAIMS, verdicts, strict=True):
        print(f"{claim.id:11} {verdict.verdict:14} {claim.text}")
        if verdict.verdict != "open":
            print(f"{'':11} {verdict.interval} · lesson {verdict.lesson}")
            print(f"{'':11} {verdict.condition}")
    settled = sum(verdict.verdict != "open" for verdict in verdicts)
    print(f"{settled} of {len(verdicts)} claims settled so far")
    return 0


if __name__ == "__main__":
    sys.exit(main())
