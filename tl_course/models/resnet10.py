"""The course's own picture network: ten layers, 1.28 million parameters, 64×64 input."""

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

WIDTH = 32


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )
    return nn.Sequential(BasicBlock(inputs, outputs, stride, shortcut))


class ResNet10(nn.Module):
    """ResNet with one BasicBlock a stage (He et al. 2016, arXiv:1512.03385).

    Stages: ``stem`` (7×7, stride 2, no pooling), ``layer1`` … ``layer4``, ``head``.
    Input: float32 (N, 3, 64, 64), normalised. Output: logits (N, ``classes``).
    """

    def __init__(self, classes: int):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()
        )
        self.layer1 = _layer(WIDTH, WIDTH, 1)
        self.layer2 = _layer(WIDTH, 2 * WIDTH, 2)
        self.layer3 = _layer(2 * WIDTH, 4 * WIDTH, 2)
        self.layer4 = _layer(4 * WIDTH, 8 * WIDTH, 2)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(8 * WIDTH, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.stem(images)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = layer(features)
        return self.head(self.pool(features))
