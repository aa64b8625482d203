import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from tl_course import cli, doctor, lessons, models, store, tasks, train
from tl_course.evidence import findings
from tl_course.store import places

KEYS = {"id", "verdict", "condition", "effect", "low", "high", "seeds", "lesson"}
KEYS |= {"sentence", "contrasts", "scope"}


@pytest.mark.parametrize(
    ("arguments", "shown"), [(["--help"], "COMMAND"), (["predict", "--help"], "MODEL PICTURE")]
)
def test_help_waits_for_nothing_heavy(arguments, shown):
    heavy = {"torch", "pandas", "numpy", "matplotlib", "sklearn", "scipy", "IPython"}
    code = f"import sys, atexit; atexit.register(lambda: print({heavy} & {{*sys.modules}}))\n"
    code += f"from tl_course import cli; cli.main({arguments})"
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert shown in out and out.strip().endswith("set()")


def test_claims_lists_every_claim(capsys):
    assert cli.main(["claims"]) == 0
    out = capsys.readouterr().out
    assert "why-1" in out and "faq-1" in out and "claims settled so far" in out
    why = lessons.settle("why-1")
    assert why.counts in out.replace("\n" + " " * 12, " ") and "Tested with resnet10" in out


def test_claims_as_json(capsys):
    assert cli.main(["claims", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert all(set(row) == KEYS for row in rows.values())
    why = rows["why-1"]
    assert why["verdict"] != "open" and why["low"] <= why["effect"] <= why["high"]
    assert rows["da-1"]["effect"] is None and rows["da-1"]["contrasts"] == []
    for row in why["contrasts"]:
        assert row["finding"] in findings.FINDINGS and row["low"] <= row["effect"] <= row["high"]


def test_models_are_listed_and_as_json_too(capsys):
    assert cli.main(["models"]) == 0
    listed = capsys.readouterr().out
    assert cli.main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [*models.catalogue()]
    assert all(row["name"] in listed and row["licence"] in listed for row in rows)


def test_prefetch_lists_and_reports_what_it_cannot_get(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    assert cli.main(["prefetch", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in store.published()) and "not here" in out
    for name, why in (("satellite", "github.com/palewithout/RSSCN7"), ("satelite", "'satellite'?")):
        assert cli.main(["prefetch", name]) == 1
        assert why in capsys.readouterr().err


def test_prefetch_finds_what_is_in_the_data_folder(real_data, capsys):
    assert cli.main(["prefetch", "satellite", "pneumonia"]) == 0
    assert "rsscn7.zip" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "required: COMMAND"),
        (["doctor", "--fast"], "unrecognized arguments: --fast"),
        *(
            (["predict", "model", "picture", "--best", best], "whole number from 1")
            for best in ("0", "-1", "two", "1.5", "²")
        ),
    ],
)
def test_unknown_options_are_refused(arguments, why, capsys):
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "", "~nobody-of-this-name/x", "\udcff\ud800"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "NAME", "picture.png"],
        ["prefetch", "NAME"],
        ["lab", "--copy-only", "--dir", "NAME"],
    ],
)
def test_a_name_that_cannot_be_is_one_line(arguments, name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [name if argument == "NAME" else argument for argument in arguments]
    assert cli.main(given) == 1
    told = capsys.readouterr().err
    assert told.startswith("tl-course: ") and told.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_what_a_machine_says_is_one_line_too(monkeypatch, capsys):
    def broken():
        raise OSError(5, "Input/output error", "disk\n")

    monkeypatch.setattr(doctor, "examine", broken)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err.startswith("tl-course: [Errno 5] Input/output error")


def test_help_in_a_console_of_few_characters():
    """Such as of Windows, or of a machine without a language."""
    command = [sys.executable, "-m", "tl_course.cli", "predict", "--help"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    assert b"JPEG, PNG, ?" in subprocess.run(command, env=environment, stdout=-1, check=True).stdout


def test_ctrl_c_ends_quietly(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", interrupted)
    assert cli.main(["doctor"]) == 130
    assert "nothing half-written" in capsys.readouterr().err


def test_a_pipe_that_closes_early():
    code = "from tl_course import cli; raise SystemExit(cli.main(['claims']))"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1)
    child.stdout.close()
    assert child.stderr.read() == b"" and child.wait() == 0


# doctor


def test_doctor_finds_this_machine_ready(capsys):
    status = cli.main(["doctor"])
    out = capsys.readouterr().out
    subjects = "Python packages torch device cores memory embedded cache network"
    assert all(subject in out for subject in subjects.split())
    assert status == 0 and "Ready" in out


def test_doctor_says_what_to_do(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda name: "0.0.1")
    old = [f for f in doctor._packages() if f.level == "problem"]
    assert any("torch" in f.subject and "pip install" in f.cure for f in old)


def test_doctor_sees_a_damaged_embedded_file(monkeypatch):
    def damaged(name):
        raise store.CorruptFile(name, "it is damaged", "Reinstall")

    monkeypatch.setattr(store, "embedded", damaged)
    assert {(f.level, f.cure) for f in doctor._embedded()} == {("problem", "Reinstall")}


def test_doctor_goes_on_when_something_is_broken(monkeypatch, tmp_path):
    monkeypatch.setenv("TL_COURSE_CACHE", "~nobody-of-this-name/cache")
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setattr(store, "manifest", dict)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 1 / 0)
    findings = doctor.examine()
    text = "\n".join(map(str, findings))
    assert "PROBLEM embedded files: none are here" in text and "Reinstall" in text
    assert "no home folder of that name" in text and "ZeroDivisionError" in text
    assert "PROBLEM TL_COURSE_DATA=" in text and findings[-1].subject == "network"


@pytest.mark.parametrize(
    ("cores", "load", "level", "cure"),
    [(2, 3.0, "fine", ""), (2, 98.0, "note", "OMP_NUM_THREADS=1"), (1, 3.0, "note", "twice the")],
)
def test_doctor_sees_cores_that_are_busy_or_few(monkeypatch, cores, load, level, cure):
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: load)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: cores)
    (found,) = doctor._cores()
    assert found.level == level and cure in found.cure and bool(cure) == bool(found.cure)


@pytest.mark.parametrize(
    ("writable", "free", "level", "cure"),
    [
        (True, 9, "fine", ""),
        (True, 0.5, "note", "free a gigabyte"),
        (False, 9, "note", "drawn anew"),
    ],
)
def test_doctor_looks_at_the_cache(monkeypatch, tmp_path, writable, free, level, cure):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "new"))
    left = tmp_path / "new" / "published" / f".x.{places.HOST}-9999999-0123abcd.part"
    left.parent.mkdir(parents=True)
    left.touch()
    usage = SimpleNamespace(free=free * 2**30)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(doctor.os, "access", lambda *_: writable)
    (found,) = doctor._cache()
    assert found.level == level and cure in found.cure and bool(cure) == bool(found.cure)
    assert not left.exists(), "what a killed download left is swept"


# predict


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = models.load("resnet10", pretrained=False, classes=["rust", "blight · late", "梨", "ok"])
    return str(models.save(model, tmp_path_factory.mktemp("cli") / "leaves"))


@pytest.fixture
def picture(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (80, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "leaf one.png")
    return tmp_path / "leaf one.png"


def test_predict(saved, picture, capsys):
    assert cli.main(["predict", saved, str(picture), str(picture)]) == 0
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first == second and first.startswith(f"{picture}: ") and not err
    assert first.count(" 0.") == 3
    assert cli.main(["predict", saved, "--best", "1", str(picture)]) == 0
    best = capsys.readouterr().out.rstrip("\n")
    assert best.count(" 0.") == 1 and first.startswith(f"{best} · ")


def test_predict_as_json_says_what_the_model_says(saved, picture, capsys):
    assert cli.main(["predict", "--json", "--best", "9", saved, str(picture)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    found = {each["class"]: each["probability"] for each in row["best"]}
    model = models.open(saved)
    read = torch.tensor(tasks.read_picture(picture.read_bytes(), 64))
    expected = train.predict(model, read[None], dtype=torch.float32)
    assert row["picture"] == str(picture) and [*found] == sorted(found, key=found.get)[::-1]
    assert [found[name] for name in model.classes] == pytest.approx(expected[0].tolist())


def test_predict_goes_on_after_a_picture_that_it_cannot_read(saved, picture, capsys, tmp_path):
    contents = {"text.jpg": b"no picture", "empty.png": b"", "cut.png": picture.read_bytes()[:900]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    bad = [str(tmp_path / name) for name in (*contents, "nowhere.png", "empty")]
    assert cli.main(["predict", saved, *bad, str(picture)]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 and out.startswith(f"{picture}: ")
    lines = err.splitlines()
    assert [line.split(": ")[0] for line in lines] == bad
    assert "No such file" in lines[3] and "it is not a file" in lines[4]
    assert cli.main(["predict", "--json", saved, *bad, str(picture)]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [*map(len, rows)] == [2] * 6 and ["error" in row for row in rows] == [True] * 5 + [False]


def test_predict_refuses_what_is_no_model_for_pictures(tmp_path, picture, capsys):
    models.save(models.load("reader_spanish", pretrained=False), tmp_path / "reader")
    finder = models.load("yolos", pretrained=False, classes=["cell", "no object"])
    models.save(finder, tmp_path / "finder")
    for name, why in (
        (".", "lacks model.json"),
        ("nowhere", "there is no such file"),
        ("reader", "it reads no pictures"),
        ("finder", "or finds several things in one"),
    ):
        assert cli.main(["predict", str(tmp_path / name), str(picture)]) == 1
        assert why in capsys.readouterr().err


def test_predict_uses_the_saved_size(tmp_path, picture):
    """A picture is read at the size of the network, which its own preprocessing then keeps."""
    model = models.load("resnet10", pretrained=False, classes=["a", "b"])
    model.preprocess = models.Preprocess(32, (0, 0, 0), (1, 1, 1))
    path = models.save(model, tmp_path / "small")
    assert cli._picture(str(picture), models.open(path).preprocess.read_size).shape == (
        1,
        3,
        32,
        32,
    )
    assert cli.main(["predict", str(path), str(picture)]) == 0
