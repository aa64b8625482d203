import json
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from tl_course import cli, doctor, models, store, surgery, tasks, train

KEYS = {"id", "verdict", "condition", "effect", "low", "high", "seeds", "lesson"}


def test_help_does_not_wait_for_torch():
    code = "import sys; from tl_course import cli; cli._parser(); print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_help_is_fast():
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "tl_course.cli", "--help"], check=True, capture_output=True
        )
        times.append(time.perf_counter() - began)
    assert min(times) < 1.0  # 0.3 s is measured on an idle machine, in tests/bench


def test_claims_lists_every_claim(capsys):
    assert cli.main(["claims"]) == 0
    out = capsys.readouterr().out
    assert "why-1" in out and "faq-1" in out and "claims settled so far" in out


def test_claims_as_json(capsys):
    assert cli.main(["claims", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(set(row) == KEYS for row in rows)
    why = next(row for row in rows if row["id"] == "why-1")
    assert why["verdict"] != "open" and why["low"] <= why["effect"] <= why["high"]
    assert next(row for row in rows if row["id"] == "da-1")["effect"] is None


def test_prefetch_lists_and_reports_what_it_cannot_get(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    assert cli.main(["prefetch", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in store.published()) and "not here" in out
    assert cli.main(["prefetch", "satellite"]) == 1
    assert "github.com/palewithout/RSSCN7" in capsys.readouterr().err


def test_prefetch_of_a_name_that_does_not_exist(capsys):
    assert cli.main(["prefetch", "satelite"]) == 1
    assert "did you mean 'satellite'" in capsys.readouterr().err


def test_prefetch_finds_what_is_in_the_data_folder(real_data, capsys):
    assert cli.main(["prefetch", "satellite", "pneumonia"]) == 0
    assert "rsscn7.zip" in capsys.readouterr().out


def test_unknown_options_are_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--fast"])
    with pytest.raises(SystemExit):
        cli.main([])


def test_ctrl_c_ends_quietly(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", interrupted)
    assert cli.main(["doctor"]) == 130


def test_doctor_finds_this_machine_ready(capsys):
    status = cli.main(["doctor"])
    out = capsys.readouterr().out
    for subject in (
        "Python",
        "packages",
        "torch",
        "device",
        "cores",
        "memory",
        "embedded",
        "cache",
        "network",
    ):
        assert subject in out
    assert status == 0 and "Ready" in out


def test_doctor_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "version", lambda name: "0.0.1")
    old = [f for f in doctor._packages() if f.level == "problem"]
    assert any("torch" in f.subject and "pip install" in f.cure for f in old)
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path / "nowhere"))
    (data,) = doctor._data()
    assert data.level == "problem" and "TL_COURSE_DATA" in str(data)


def test_doctor_sees_a_damaged_embedded_file(monkeypatch):
    def damaged(name):
        raise store.CorruptFile(name, "it is damaged", "Reinstall")

    monkeypatch.setattr(store, "embedded", damaged)
    assert any(f.level == "problem" and f.cure == "Reinstall" for f in doctor._embedded())


def test_doctor_goes_on_when_something_is_broken(monkeypatch):
    monkeypatch.setenv("TL_COURSE_CACHE", "~nobody-of-this-name/cache")
    monkeypatch.setattr(store, "manifest", dict)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 1 / 0)
    findings = doctor.examine()
    text = "\n".join(map(str, findings))
    assert "PROBLEM embedded files: none are here" in text and "Reinstall" in text
    assert "no home folder of that name" in text and "ZeroDivisionError" in text
    assert findings[-1].subject == "network"


@pytest.mark.parametrize(("load", "level"), [(3.0, "fine"), (98.0, "note")])
def test_doctor_sees_busy_cores(monkeypatch, load, level):
    import psutil

    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: load)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 2)
    (found,) = doctor._cores()
    assert found.level == level and ("OMP_NUM_THREADS=1" in found.cure) == (level == "note")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = models.load("resnet10", pretrained=False, classes=["rust", "blight · late", "梨", "ok"])
    return models.save(model, tmp_path_factory.mktemp("cli") / "leaves")


@pytest.fixture
def picture(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (80, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "leaf one.png")
    return tmp_path / "leaf one.png"


def test_predict(saved, picture, capsys):
    assert cli.main(["predict", str(saved), str(picture), str(picture)]) == 0
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first == second and first.startswith(f"{picture}: ") and not err
    assert first.count(" 0.") == 3
    assert cli.main(["predict", str(saved), "--best", "1", str(picture)]) == 0
    best = capsys.readouterr().out.rstrip("\n")
    assert best.count(" 0.") == 1 and first.startswith(f"{best} · ")


def test_predict_as_json_says_what_the_model_says(saved, picture, capsys):
    assert cli.main(["predict", "--json", "--best", "9", str(saved), str(picture)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    found = {each["class"]: each["probability"] for each in row["best"]}
    model = models.open(saved)
    read = torch.tensor(tasks.read_picture(picture.read_bytes(), 64))
    expected = train.predict(model, read[None])
    assert row["picture"] == str(picture) and [*found] == sorted(found, key=found.get)[::-1]
    assert [found[name] for name in model.classes] == pytest.approx(expected[0].tolist())


def test_predict_goes_on_after_a_picture_that_it_cannot_read(saved, picture, capsys, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(picture.read_bytes()[:900])
    bad = [tmp_path / name for name in ("text.jpg", "nowhere.png", "empty.png", "cut.png", ".")]
    asked = [*map(str, bad), str(picture)]
    assert cli.main(["predict", str(saved), *asked]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 and out.startswith(f"{picture}: ")
    lines = err.splitlines()
    assert [line.split(": ")[0] for line in lines] == [*map(str, bad)]
    assert "No such file" in lines[1] and "it is not a file" in lines[4]
    assert cli.main(["predict", "--json", str(saved), *asked]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [*map(len, rows)] == [2] * 6 and ["error" in row for row in rows] == [True] * 5 + [False]


def test_predict_refuses_what_is_no_model_for_pictures(tmp_path, picture, capsys):
    assert cli.main(["predict", str(tmp_path), str(picture)]) == 1
    assert "it has no model.json" in capsys.readouterr().err
    assert cli.main(["predict", str(tmp_path / "nowhere"), str(picture)]) == 1
    assert "no such folder" in capsys.readouterr().err
    reader = models.save(models.load("reader_spanish", pretrained=False), tmp_path / "reader")
    assert cli.main(["predict", str(reader), str(picture)]) == 1
    assert "it reads no pictures" in capsys.readouterr().err


@pytest.mark.parametrize("best", ["0", "-1", "two", "1.5", "²"])
def test_predict_refuses_a_number_of_classes(saved, picture, best, capsys):
    with pytest.raises(SystemExit):
        cli.main(["predict", str(saved), str(picture), "--best", best])
    assert "whole number from 1" in capsys.readouterr().err


def test_predict_uses_the_saved_size(tmp_path, picture, capsys):
    """A picture is read at the size of the network, which its own preprocessing then keeps."""
    model = models.load("resnet10", pretrained=False, classes=["a", "b"])
    model.preprocess = models.Preprocess(32, (0, 0, 0), (1, 1, 1))
    folder = models.save(surgery.freeze(model), tmp_path / "small")
    assert cli._picture(str(picture), models.open(folder).preprocess.size).shape == (1, 3, 32, 32)
    assert cli.main(["predict", str(folder), str(picture)]) == 0


def test_predict_help_is_quick_too():
    code = "import sys; from tl_course import cli; cli.main(['predict', '--help'])"
    probe = f"import sys\ntry:\n exec({code!r})\nexcept SystemExit: print('torch' in sys.modules)"
    out = subprocess.check_output([sys.executable, "-c", probe], text=True)
    assert "FOLDER PICTURE" in out and out.strip().endswith("False")
