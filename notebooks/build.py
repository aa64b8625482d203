"""Build the lessons: ``source/NN.py`` → executed ``NN.ipynb`` (blank) and ``solutions/NN.ipynb``.

    python notebooks/build.py                    # every lesson
    python notebooks/build.py 00_start_here      # one

A source is in jupytext's percent format. Between the lines ``### BEGIN SOLUTION`` and
``### END SOLUTION`` stands what a learner is to write; it is left out of the blank notebook.
"""

import argparse
import hashlib
import re
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
SOLUTION = re.compile(r"^[ \t]*### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION\n?", re.M | re.S)
WIDGET = "application/vnd.jupyter.widget-view+json"


def sources() -> list[Path]:
    """Every lesson's source, in order."""
    return sorted((HERE / "source").glob("*.py"))


def compose(source: Path, solved: bool) -> NotebookNode:
    """The notebook of a source, not executed, with cell ids that depend on the text alone."""
    notebook = jupytext.read(source, fmt="py:percent")
    seen = Counter()
    for cell in notebook.cells:
        original = cell.source
        if cell.cell_type == "code":
            cell.source = SOLUTION.sub(r"\1" if solved else "", original + "\n").strip("\n")
        digest = hashlib.sha256(original.encode()).hexdigest()[:10]
        seen[digest] += 1
        cell.id = f"{digest}-{seen[digest]}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def execute(notebook: NotebookNode) -> NotebookNode:
    """Run every cell from the folder of the lessons, and keep only what is the same next time."""
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(HERE)}}).execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [out for out in map(_lasting, cell.outputs) if out is not None]
    return notebook


def _lasting(output: NotebookNode) -> NotebookNode | None:
    """An output without what lives only as long as the kernel: widgets and progress bars.

    A widget's picture stays and stands in for it; without one nothing is left to show.
    """
    if output.output_type == "stream" and output.name == "stderr" and "it/s" in output.text:
        return None
    if WIDGET in output.get("data", {}):
        del output.data[WIDGET]
        if "image/png" not in output.data:
            return None
    return output


def build(source: Path) -> None:
    """Write both notebooks of one lesson."""
    for solved, folder in ((False, HERE), (True, HERE / "solutions")):
        folder.mkdir(exist_ok=True)
        path = folder / f"{source.stem}.ipynb"
        notebook = execute(compose(source, solved))
        text = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
        print(f"{path.relative_to(HERE.parent)}: {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Build the lessons named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="names without ending; default: every lesson")
    wanted = parser.parse_args().lessons
    known = {source.stem: source for source in sources()}
    for name in wanted or known:
        if name not in known:
            parser.error(f"no lesson {name!r}; there are {', '.join(known)}")
        build(known[name])


if __name__ == "__main__":
    main()
