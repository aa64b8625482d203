"""The picture networks of torchvision: their stages, and small ones with random weights."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils import parametrize
from torchvision import models
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.resnet import ResNet
from torchvision.models.vgg import VGG, make_layers
from torchvision.models.vision_transformer import VisionTransformer

from tl_course.models.pooling import First, numbered

SIZE, SMALL = 224, 64  # pixels a side of official networks, and of the small ones


def official(name: str, classes: int) -> nn.Module:
    """The network as torchvision builds it, before its weights are filled in."""
    return models.get_model(name, num_classes=classes)


def categories(name: str) -> tuple[str, ...]:
    """What the outputs of the official network mean."""
    return tuple(models.get_model_weights(name).IMAGENET1K_V1.meta["categories"])


def small(name: str, classes: int) -> nn.Module:
    """A narrow network of the same class for pictures of 64×64; ``resnet18`` stays as it is."""
    return {"vgg16": _vgg, "efficientnet_b0": _efficientnet, "vit_b_16": _vit}[name](classes)


def _vgg(classes: int) -> VGG:
    widths = [8, 8, "M", 16, 16, "M", *[32, 32, 32, "M"] * 3]
    with torch.device("meta"):  # its own first linear layers would take half a gigabyte
        network = VGG(nn.Identity(), classes, init_weights=False)
    network.features = make_layers(widths)
    network.avgpool = nn.AdaptiveAvgPool2d(2)
    network.classifier = nn.Sequential(
        *(nn.Linear(32 * 4, 48), nn.ReLU(True), nn.Dropout()),
        *(nn.Linear(48, 48), nn.ReLU(True), nn.Dropout()),
        nn.Linear(48, classes),
    )
    for module in network.features:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return network


def _efficientnet(classes: int) -> EfficientNet:
    widths = (8, 8, 12, 16, 16, 24, 24, 32)
    blocks = [
        MBConvConfig(1 + (i > 0), 3, 2 if i in (1, 3, 5) else 1, before, after, 1)
        for i, (before, after) in enumerate(pairwise(widths))
    ]
    return EfficientNet(blocks, dropout=0.2, num_classes=classes, last_channel=64)


def _vit(classes: int) -> VisionTransformer:
    return VisionTransformer(SMALL, 16, 3, 4, 48, 96, num_classes=classes)


def resnet_stages(model: ResNet) -> dict[str, nn.Module]:
    """Stem, four layers, head."""
    return {
        "stem": nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool),
        **{f"layer{i}": getattr(model, f"layer{i}") for i in range(1, 5)},
        "head": nn.Sequential(model.avgpool, nn.Flatten(), model.fc),
    }


def vgg_stages(model: VGG) -> dict[str, nn.Module]:
    """Blocks that each end with a pooling layer, the hidden linear layers, head."""
    blocks, block = [], []
    for module in model.features:
        block.append(module)
        if isinstance(module, nn.MaxPool2d):
            blocks.append(nn.Sequential(*block))
            block = []
    *hidden, dropout, last = model.classifier
    return {
        **numbered(blocks),
        "hidden": nn.Sequential(model.avgpool, nn.Flatten(), *hidden),
        "head": nn.Sequential(dropout, last),
    }


def efficientnet_stages(model: EfficientNet) -> dict[str, nn.Module]:
    """Stem, blocks of inverted residuals, the last convolution, head."""
    stem, *blocks, top = model.features
    return {
        "stem": stem,
        **numbered(blocks),
        "top": top,
        "head": nn.Sequential(model.avgpool, nn.Flatten(), *model.classifier),
    }


class Weight(nn.Module):
    """One parameter of ``owner`` as a module, without the other parameters of ``owner``."""

    def __init__(self, owner: nn.Module, name: str):
        super().__init__()
        adapted = parametrize.is_parametrized(owner, name)  # LoRA has put a module in its place
        self.value = owner.parametrizations[name] if adapted else getattr(owner, name)

    def forward(self) -> torch.Tensor:
        return self.value() if isinstance(self.value, nn.Module) else self.value


class Patches(nn.Module):
    """Pictures to tokens (N, 1 + patches, C), the class token first."""

    def __init__(self, model: VisionTransformer):
        super().__init__()
        self.projection = model.conv_proj
        self.class_token = Weight(model, "class_token")
        self.positions = Weight(model.encoder, "pos_embedding")
        self.dropout = model.encoder.dropout

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        patches = self.projection(pictures).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token().expand(len(patches), -1, -1), patches], 1)
        return self.dropout(tokens + self.positions())


def vit_stages(model: VisionTransformer) -> dict[str, nn.Module]:
    """Patches, transformer blocks (the last with the final norm), head."""
    return {
        "patches": Patches(model),
        **numbered(model.encoder.layers, model.encoder.ln),
        "head": nn.Sequential(First(), *model.heads),
    }


# for each class: how its stages are found, and what its last linear layer is called
CLASSES = {
    ResNet: (resnet_stages, "fc"),
    VGG: (vgg_stages, "classifier.6"),
    EfficientNet: (efficientnet_stages, "classifier.1"),
    VisionTransformer: (vit_stages, "heads.head"),
}
