"""The line recogniser: where a character's centre is, and which one it is.

Twin of crates/ocr/src/net/recogniser.rs: names and order of the blocks are the same there.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ..contract import RECOGNISER
from .blocks import ConvBn, Residual

HEIGHT, STEP = RECOGNISER.strip.height, RECOGNISER.step


@dataclass
class RecogniserConfig:
    """Widths and depths; `classes` is the length of the charset."""

    classes: int
    stem: int = 32
    low: int = 64
    high: int = 128
    model: int = 256
    blocks0: int = 0
    blocks1: int = 2
    blocks2: int = 2
    context: int = 2


class Recogniser(nn.Module):
    """Strip [B, 1, HEIGHT, W] -> features [B, W / STEP, model], centre logits and hidden logits, both [B, W / STEP].

    The classifier is a separate call, so that only the steps with a character pay for it.
    """

    def __init__(self, config: RecogniserConfig):
        super().__init__()
        c = config
        self.config = c
        self.stem = ConvBn(1, c.stem, 3, stride=2)
        self.blocks0 = nn.Sequential(*[Residual(c.stem) for _ in range(c.blocks0)])
        self.down1 = ConvBn(c.stem, c.low, 3, stride=2)
        self.blocks1 = nn.Sequential(*[Residual(c.low) for _ in range(c.blocks1)])
        self.down2 = ConvBn(c.low, c.high, 3, stride=(2, 1))
        self.blocks2 = nn.Sequential(*[Residual(c.high) for _ in range(c.blocks2)])
        self.collapse = ConvBn(c.high, c.model, (HEIGHT // 8, 1), padding=0)
        self.context = nn.Sequential(*[Residual(c.model, (1, 3)) for _ in range(c.context)])
        self.centre = nn.Conv2d(c.model, RECOGNISER.channels.count, 1)
        self.classifier = nn.Linear(c.model, c.classes)

    def forward(self, strip: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.blocks0(self.stem(strip))
        x = self.blocks1(self.down1(x))
        x = self.blocks2(self.down2(x))
        x = self.context(self.collapse(x))
        marks = self.centre(x).squeeze(2)
        channels = RECOGNISER.channels
        return x.squeeze(2).transpose(1, 2), marks[:, channels.centre], marks[:, channels.hidden]

    def classify(self, features: Tensor) -> Tensor:
        """Features of the chosen steps [N, model] -> logits [N, classes]."""
        return F.linear(features, self.classifier.weight, self.classifier.bias)
