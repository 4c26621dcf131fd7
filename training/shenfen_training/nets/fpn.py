"""A small feature pyramid network: strided stages bottom-up, laterals top-down to one map. Locates cards, and the lines on a card.

Twin of crates/ocr/src/net/fpn.rs: names and order of the blocks are the same there.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ..contract import LINES, LOCATOR
from .blocks import ConvBn, Residual


@dataclass
class FpnConfig:
    """`widths[i]` and `blocks[i]` of stage i (stride 2^(i+1)); the map comes out at stage `output_stage`."""

    inputs: int
    outputs: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    top: int
    output_stage: int


LOCATOR_NET = FpnConfig(
    inputs=LOCATOR.inputs,
    outputs=LOCATOR.channels.count,
    widths=(16, 32, 48, 64, 96),
    blocks=(0, 0, 1, 1, 2),
    top=64,
    output_stage=LOCATOR.output_stage,
)
"""Picture [B, 3, H, W] -> [B, 16, H / 8, W / 8]; LocatorChannels says what the channels are."""
LINES_NET = FpnConfig(
    inputs=LINES.inputs,
    outputs=LINES.channels.count,
    widths=(12, 24, 32, 48, 64),
    blocks=(0, 1, 1, 2, 2),
    top=32,
    output_stage=LINES.output_stage,
)
"""Card [B, 1, 320, 512] -> [B, 18, 80, 128]; LinesChannels says what the channels are."""


class Stage(nn.Module):
    """Halves both sides, then residual blocks."""

    def __init__(self, inputs: int, width: int, blocks: int):
        super().__init__()
        self.down = ConvBn(inputs, width, 3, stride=2)
        self.block = nn.Sequential(*[Residual(width) for _ in range(blocks)])

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.down(x))


class Fpn(nn.Module):
    """Input -> map of `outputs` channels at stride 2^(output_stage + 1), without activation."""

    def __init__(self, config: FpnConfig):
        super().__init__()
        c = config
        self.config = c
        inputs = (c.inputs, *c.widths[:-1])
        self.stage = nn.ModuleList(Stage(i, w, b) for i, w, b in zip(inputs, c.widths, c.blocks, strict=True))
        last = len(c.widths) - 1
        levels = range(c.output_stage, last + 1)
        # The deepest lateral starts the way up and has a ReLU; the others are added first.
        self.lateral = nn.ModuleDict({str(k): ConvBn(c.widths[k], c.top, 1, relu=k == last) for k in levels})
        self.smooth = nn.ModuleDict({str(k): ConvBn(c.top, c.top, 3) for k in levels if k != last})
        self.head = nn.Conv2d(c.top, c.outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for stage in self.stage:
            x = stage(x)
            maps.append(x)
        last = len(maps) - 1
        top = self.lateral[str(last)](maps[last])
        for k in range(last - 1, self.config.output_stage - 1, -1):
            up = F.interpolate(top, scale_factor=2.0, mode="nearest")
            top = self.smooth[str(k)](up + self.lateral[str(k)](maps[k]))
        return self.head(top)
