"""The two building blocks of all networks. Twin of crates/ocr/src/net/conv.rs."""

from torch import Tensor, nn
from torch.nn import functional as F


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def running_statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Mean and variance per channel as training gathered them, the buffers themselves."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without running statistics cannot be folded")
    return norm.running_mean, norm.running_var


class ConvBn(nn.Module):
    """Convolution and batch norm, then ReLU unless `relu` is off. Batch norm is folded into the weights at export."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | None = None,
        relu: bool = True,
    ):
        super().__init__()
        kernel = _pair(kernel)
        pad = (kernel[0] // 2, kernel[1] // 2) if padding is None else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = relu
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


class Residual(nn.Module):
    """relu(x + conv2(relu(conv1(x)))), both of the same kernel and width."""

    def __init__(self, width: int, kernel: int | tuple[int, int] = 3):
        super().__init__()
        self.conv1 = ConvBn(width, width, kernel)
        self.conv2 = ConvBn(width, width, kernel, relu=False)
        nn.init.zeros_(self.conv2.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(self.conv1(x)), inplace=True)
