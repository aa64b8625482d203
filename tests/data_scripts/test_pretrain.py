"""The pretraining scripts: that of pictures on a handful of them, where it resumes and two
processes share a run; that of readers for one language; those of lessons 08 and 09, hastily.
"""

import importlib.util
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tl_course import models, store, surgery, tasks, train
from tl_course.lessons.negative_transfer import recipe as suspects

SCRIPT = Path(__file__).resolve().parent.parent / "data_scripts" / "pretrain_resnet10.py"
READERS = SCRIPT.with_name("pretrain_readers.py")
IDS = ("n01443537", "n01629819", "n01641577")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Tiny ImageNet's layout with three classes of 42 pictures."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)

    def picture(label: int) -> bytes:
        pixels = rng.integers(0, 90, (64, 64, 3))
        pixels[:, :, label] += 150
        buffer = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG")
        return buffer.getvalue()

    with zipfile.ZipFile(folder / "tiny-imagenet-200.zip", "w") as file:
        top, answers = "tiny-imagenet-200", []
        for label, name in enumerate(IDS):
            for i in range(42):
                file.writestr(f"{top}/train/{name}/images/{name}_{i}.JPEG", picture(label))
            file.writestr(f"{top}/val/images/val_{label}.JPEG", picture(label))
            answers.append(f"val_{label}.JPEG\t{name}\t0\t0\t9\t9")
        file.writestr(f"{top}/val/val_annotations.txt", "\n".join(answers))
        names = ("goldfish, Carassius auratus", "salamander, newt", "goldfish, frog")
        lines = [f"{a}\t{b}" for a, b in zip(IDS, names, strict=True)]
        file.writestr(f"{top}/words.txt", "\n".join(lines))
    return folder


def command(*options, launcher=()):
    return [sys.executable, *launcher, str(SCRIPT), "--batch", "16", *map(str, options)]


def environment(archive):
    return {**os.environ, "TL_COURSE_DATA": str(archive), "OMP_NUM_THREADS": "1"}


def run(archive, *options, launcher=()):
    done = subprocess.run(
        command(*options, launcher=launcher),
        env=environment(archive),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_reading_the_published_layout(archive, monkeypatch):
    monkeypatch.setenv("TL_COURSE_DATA", str(archive))
    tasks._load.cache_clear()
    task = tasks.load("tiny_imagenet")
    tasks._load.cache_clear()
    assert task.classes == ("goldfish", "salamander", "frog")
    assert (len(task.train), len(task.val), len(task.test)) == (96, 30, 3)
    assert task.test.labels.tolist() == [0, 1, 2]
    brightest = task.test.inputs.float().mean((2, 3)).argmax(1)
    assert brightest.tolist() == [0, 1, 2]


def test_killed_and_resumed_gives_what_an_unbroken_run_gives(archive, tmp_path):
    for name in ("unbroken", "broken"):
        (tmp_path / name).mkdir()
    options = ("--epochs", 3, "--out", tmp_path / "unbroken", "--work", tmp_path / "unbroken")
    assert "top-1 on 3 validation pictures" in run(archive, *options)

    options = ("--epochs", 3, "--out", tmp_path / "broken", "--work", tmp_path / "broken")
    checkpoint = tmp_path / "broken" / "checkpoint.safetensors"
    victim = subprocess.Popen(
        command(*options),
        env=environment(archive),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(1200):
        if checkpoint.is_file() or victim.poll() is not None:
            break
        time.sleep(0.05)
    victim.kill()
    victim.wait()
    assert store.read_metadata(checkpoint)["epoch"] in ("1", "2")
    assert "resuming after epoch" in run(archive, *options, "--resume")

    weights = [
        store.load_weights(tmp_path / name / "resnet10.safetensors")
        for name in ("unbroken", "broken")
    ]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-3, atol=1e-4, msg=name)


def test_two_processes_share_a_run(archive, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
    options = ("--epochs", 2, "--out", tmp_path, "--work", tmp_path)
    out = run(archive, *options, launcher=launcher)
    assert out.count("top-1 on 3 validation pictures") == 1
    model = models.load("resnet10", weights=tmp_path / "resnet10.safetensors")
    assert model.classes == ("goldfish", "salamander", "frog")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert "pretrain_resnet10.py" in manifest["resnet10"]["recipe"]


def test_a_reader_is_trained_as_the_script_promises(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            str(READERS),
            "--sources",
            "spanish",
            "--out",
            str(tmp_path),
            "--jobs",
            "1",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, last = done.stdout.splitlines()
    assert first.startswith("reader_spanish: ") and "of 2,000 new numbers right" in first
    assert float(first.split()[1]) >= 0.99
    assert last == "expect 0.99 or more for every reader"
    weights = store.load_weights(tmp_path / "reader_spanish.safetensors")
    assert set(weights) == set(models.load("reader_spanish").state_dict())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["reader_spanish"]["recipe"] == "python data_scripts/pretrain_readers.py"


def opened(name: str):
    """A pretraining script as a module."""
    spec = importlib.util.spec_from_file_location(f"{name}_under_test", SCRIPT.with_name(name))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_suspects_are_trained_and_written(tmp_path, monkeypatch, capsys):
    hasty = {
        name: (max(count // 25, 9), 1 if chosen else 2, chosen)
        for name, (count, _, chosen) in suspects.RECIPES.items()
    }
    assert {*opened("pretrain_suspects.py").EXPECT} == {*hasty}
    monkeypatch.setattr(suspects, "RECIPES", hasty)
    out = tmp_path / "new"
    monkeypatch.setattr(sys, "argv", ["pretrain_suspects.py", "--jobs", "1", "--out", str(out)])
    opened("pretrain_suspects.py").main()
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [*hasty]
    for line, (_, _, chosen) in zip(lines, hasty.values(), strict=True):
        assert ("new pictures" if chosen else "its training pictures") in line
    assert last.startswith("expect at least colours 0.9")
    manifest = json.loads((out / "manifest.json").read_text())
    assert {*manifest} == {suspects.PICTURES[name] for name in hasty}
    for source, (count, _, _) in hasty.items():
        name, task = suspects.PICTURES[source], suspects.source_task(source, 0)
        path = out / f"{name}.safetensors"
        assert path.stat().st_size < 3e6
        model = models.load(name, weights=path)
        assert model.classes == task.classes and models.outputs(model) == len(task.classes)
        expected, _ = suspects.pretrain(source, 0)
        for key, value in expected.state_dict().items():  # stored with half of the digits
            torch.testing.assert_close(model.state_dict()[key], value, rtol=1e-3, atol=1e-6)
        assert manifest[name]["recipe"] == "python data_scripts/pretrain_suspects.py"
        assert (
            manifest[name]["licence"] == "MIT" and f"{count} pictures" in manifest[name]["source"]
        )


@pytest.mark.parametrize("source", suspects.RECIPES)
def test_the_shipped_suspects_know_their_lessons(source):
    least = opened("pretrain_suspects.py").EXPECT[source]
    model, task = models.load(suspects.PICTURES[source]), suspects.source_task(source, 0)
    assert model.classes == task.classes
    asked = task.val if suspects.RECIPES[source][2] else task.train
    assert train.evaluate(model, asked).accuracy >= least


def test_the_leaf_doctor_is_trained_and_written(tmp_path, monkeypatch, capsys):
    leaves = tasks.load("leaves")
    some = {"leaves_many": leaves.few(60, 0), "leaves": leaves.few(10, 0)}
    some["leaves"] = type(leaves)(**{**vars(leaves), "test": leaves.test.take(range(40))})
    some["leaves_128"] = some["leaves"]
    monkeypatch.setattr(tasks, "load", some.__getitem__)
    options = ["pretrain_leaf_doctor.py", "--epochs", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", options)
    opened("pretrain_leaf_doctor.py").main()
    out = capsys.readouterr().out
    for name in ("leaves", "leaves_128"):
        assert f"{name}: 0." in out and "of 40 new leaves right" in out
    assert "expect 0.85 or more for both" in out
    doctor = models.load("leaf_doctor", weights=tmp_path / "leaf_doctor.safetensors")
    assert doctor.classes == leaves.classes and surgery.frozen(doctor) == ()
    plain = models.load("resnet10").state_dict()
    assert not torch.equal(doctor.stem[0].weight, plain["stem.0.weight"])  # all of it has learned
    entry = json.loads((tmp_path / "manifest.json").read_text())["leaf_doctor"]
    assert entry["recipe"] == "python data_scripts/pretrain_leaf_doctor.py"
    assert "60 drawn leaves" in entry["source"] and "Tiny ImageNet" in entry["licence"]


@pytest.mark.parametrize("name", ["leaves", "leaves_128"])
def test_the_shipped_leaf_doctor_knows_leaves(name):
    doctor, task = models.load("leaf_doctor"), tasks.load(name)
    assert doctor.classes == task.classes
    assert train.evaluate(doctor, task.test.take(range(300))).accuracy >= 0.85
