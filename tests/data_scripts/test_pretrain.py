"""The pretraining scripts: that of pictures on a handful of them, where it resumes and two
processes share a run; that of readers for one language; those of lessons 08 and 09, hastily.
"""

import io
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pretrain_leaf_doctor
import pretrain_resnet10
import pretrain_suspects
import pytest
import torch
from PIL import Image
from torch import nn

from tl_course import models, store, surgery, tasks, train
from tl_course.lessons.negative_transfer import recipe as suspects

SCRIPTS = Path(__file__).resolve().parents[2] / "data_scripts"
IDS = ("n01443537", "n01629819", "n01641577")


@pytest.fixture
def archive(tmp_path_factory, monkeypatch):
    """Tiny ImageNet's layout with three classes of 42 pictures, where data sets are looked for."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("TL_COURSE_DATA", str(folder))
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


def command(script: str, *options, launcher=()) -> list[str]:
    return [sys.executable, *launcher, str(SCRIPTS / script), *map(str, options)]


def pictures(folder: Path, *options, **more) -> list[str]:
    """The command that trains on a handful of pictures; all that it writes goes into ``folder``."""
    folder.mkdir(exist_ok=True)
    places = ("--batch", 16, "--out", folder, "--work", folder)
    return command("pretrain_resnet10.py", *places, *options, **more)


def said(asked: list[str]) -> str:
    """What a script prints that ends well."""
    done = subprocess.run(asked, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def written(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_reading_the_published_layout(archive):
    tasks._load.cache_clear()
    task = tasks.load("tiny_imagenet")
    tasks._load.cache_clear()
    assert task.classes == ("goldfish", "salamander", "frog")
    assert (len(task.train), len(task.val), len(task.test)) == (96, 30, 3)
    assert task.test.labels.tolist() == [0, 1, 2]
    brightest = task.test.inputs.float().mean((2, 3)).argmax(1)
    assert brightest.tolist() == [0, 1, 2]


def test_a_checkpoint_holds_weights_and_momentum(tmp_path):
    def started(seed: int):
        torch.manual_seed(seed)
        model = nn.Linear(3, 2)
        return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(model, optimizer):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()

    model, optimizer = started(0)
    step(model, optimizer)
    pretrain_resnet10.save_checkpoint(tmp_path / "c.pt", model, optimizer, 7)
    again = started(1)
    assert pretrain_resnet10.load_checkpoint(tmp_path / "c.pt", *again) == 7
    for both in ((model, optimizer), again):
        step(*both)
    torch.testing.assert_close(again[0].state_dict(), model.state_dict())


@pytest.mark.slow
def test_killed_and_resumed_gives_what_an_unbroken_run_gives(archive, tmp_path):
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert "top-1 on 3 validation pictures" in said(pictures(unbroken, "--epochs", 3))
    checkpoint = broken / "checkpoint.pt"
    victim = subprocess.Popen(pictures(broken, "--epochs", 3))
    while victim.poll() is None and not checkpoint.is_file():
        time.sleep(0.05)
    victim.kill()
    victim.wait()
    assert torch.load(checkpoint, weights_only=True)["epoch"] in (1, 2)
    assert "resuming after epoch" in said(pictures(broken, "--epochs", 3, "--resume"))
    weights = [store.load_weights(each / "resnet10.safetensors") for each in (unbroken, broken)]
    for name, value in weights[0].items():  # stored with half of the digits
        torch.testing.assert_close(value, weights[1][name], rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.slow
@pytest.mark.localhost
def test_two_processes_share_a_run(archive, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
    out = said(pictures(tmp_path, "--epochs", 2, launcher=launcher))
    assert out.count("top-1 on 3 validation pictures") == 1
    model = models.load("resnet10", weights=tmp_path / "resnet10.safetensors")
    assert model.classes == ("goldfish", "salamander", "frog")
    assert "pretrain_resnet10.py" in written(tmp_path)["resnet10"]["recipe"]


@pytest.mark.slow
def test_a_reader_is_trained_as_the_script_promises(tmp_path):
    options = ("--sources", "spanish", "--out", tmp_path, "--jobs", 1)
    first, last = said(command("pretrain_readers.py", *options)).splitlines()
    assert first.startswith("reader_spanish: ") and "of 2,000 new numbers right" in first
    assert float(first.split()[1]) >= 0.99
    assert last == "expect 0.99 or more for every reader"
    weights = store.load_weights(tmp_path / "reader_spanish.safetensors")
    assert set(weights) == set(models.load("reader_spanish").state_dict())
    recipe = written(tmp_path)["reader_spanish"]["recipe"]
    assert recipe == "python data_scripts/pretrain_readers.py"


@pytest.mark.slow
def test_suspects_are_trained_and_written(tmp_path, monkeypatch, capsys):
    hasty = {
        name: (max(count // 25, 9), 1 if chosen else 2, chosen)
        for name, (count, _, chosen) in suspects.RECIPES.items()
    }
    assert {*pretrain_suspects.EXPECT} == {*hasty}
    monkeypatch.setattr(suspects, "RECIPES", hasty)
    out = tmp_path / "new"
    monkeypatch.setattr(sys, "argv", ["pretrain_suspects.py", "--jobs", "1", "--out", str(out)])
    pretrain_suspects.main()
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [*hasty]
    for line, (_, _, chosen) in zip(lines, hasty.values(), strict=True):
        assert ("new pictures" if chosen else "its training pictures") in line
    assert last.startswith("expect at least colours 0.9")
    manifest = written(out)
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


@pytest.mark.slow  # ten thousand pictures are drawn
@pytest.mark.parametrize("source", suspects.RECIPES)
def test_the_shipped_suspects_know_their_lessons(source):
    least = pretrain_suspects.EXPECT[source]
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
    pretrain_leaf_doctor.main()
    out = capsys.readouterr().out
    for name in ("leaves", "leaves_128"):
        assert f"{name}: 0." in out and "of 40 new leaves right" in out
    assert "expect 0.85 or more for both" in out
    doctor = models.load("leaf_doctor", weights=tmp_path / "leaf_doctor.safetensors")
    assert doctor.classes == leaves.classes and surgery.frozen(doctor) == ()
    plain = models.load("resnet10").state_dict()
    assert not torch.equal(doctor.stem[0].weight, plain["stem.0.weight"])  # all of it has learned
    entry = written(tmp_path)["leaf_doctor"]
    assert entry["recipe"] == "python data_scripts/pretrain_leaf_doctor.py"
    assert "60 drawn leaves" in entry["source"] and "Tiny ImageNet" in entry["licence"]


@pytest.mark.parametrize("name", ["leaves", "leaves_128"])
def test_the_shipped_leaf_doctor_knows_leaves(name):
    doctor, task = models.load("leaf_doctor"), tasks.load(name)
    assert doctor.classes == task.classes
    assert train.evaluate(doctor, task.test.take(range(300))).accuracy >= 0.85
