"""Writes the trained networks to models/: python -m shenfen_training.export [locator lines recogniser] [--keep-weights]

For each network: model.safetensors (f16, batch norm folded into the convolutions), config.json (see contract.py), MODEL_CARD.md and
the charset; and for all of them the parity files (see parity.py) and SHA256SUMS. With --keep-weights everything but the weights is
written, about the weights that are in models/: after a change of the contract, the calibration or the scores. With --blend SHARE the
weights become SHARE of the run's and the rest of those that models/ has: a network that learned a new task for a short time keeps more of
the old one that way (weight-space averaging; both start from the same weights).
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import parity
from .charset import charset
from .checkpoint import LOG, averaged
from .contract import MODELS, RECOGNISER, config_text
from .model_cards import model_card
from .nets.blocks import ConvBn, running_statistics
from .nets.fpn import LINES_NET, LOCATOR_NET, Fpn, FpnConfig
from .nets.recogniser import Recogniser, RecogniserConfig

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "locator": lambda: Fpn(LOCATOR_NET),
    "lines": lambda: Fpn(LINES_NET),
    "recogniser": lambda: Recogniser(RecogniserConfig(classes=RECOGNISER.classes)),
}


def folded(net: nn.Module) -> dict[str, Tensor]:
    """All weights in f16, every ConvBn as one convolution with a bias, under the name of the ConvBn."""
    tensors: dict[str, Tensor] = {}
    inside: set[str] = set()
    for name, module in net.named_modules():
        if not isinstance(module, ConvBn):
            continue
        inside.add(name)
        mean, variance = running_statistics(module.bn)
        scale = module.bn.weight / torch.sqrt(variance + module.bn.eps)
        tensors[f"{name}.weight"] = module.conv.weight * scale[:, None, None, None]
        tensors[f"{name}.bias"] = module.bn.bias - mean * scale
    for name, value in net.state_dict().items():
        if not any(name.startswith(f"{conv}.") for conv in inside):
            tensors[name] = value
    for name, value in tensors.items():
        if not torch.isfinite(value).all() or value.abs().max() > 60000:
            raise ValueError(f"{name} does not fit into f16")
    return {name: value.detach().half().contiguous() for name, value in tensors.items()}


def _as_exported(net: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """The same network with the rounded, folded weights: what the engine has to agree with."""
    for name, module in net.named_modules():
        if isinstance(module, ConvBn):
            module.conv.bias = nn.Parameter(tensors[f"{name}.bias"].float())
            module.conv.weight = nn.Parameter(tensors[f"{name}.weight"].float())
            module.register_module("bn", nn.Identity())
    rest = {key: value.float() for key, value in tensors.items() if key in dict(net.named_parameters())}
    net.load_state_dict(rest, strict=False)
    return net.eval()


def trained(name: str) -> nn.Module:
    """The network of a training run, with its averaged weights."""
    weights, saved = averaged(name)
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}
    net: nn.Module = Recogniser(RecogniserConfig(**given)) if name == "recogniser" else Fpn(FpnConfig(**given))
    net.load_state_dict(weights)
    return net.eval()


def exported(name: str) -> nn.Module:
    """The network as models/ has it: with rounded, folded weights, which is what the engine has to agree with."""
    return _as_exported(NETWORKS[name](), load_file(MODELS / name / "model.safetensors"))


def blended(new: dict[str, Tensor], old: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """`share` of the new weights and the rest of the old ones. Rows that the old network lacks stay as they are."""
    mixed = {}
    for name, value in new.items():
        known = old[name].float()
        rows = value.float().clone()
        rows[: len(known)] = share * rows[: len(known)] + (1 - share) * known
        mixed[name] = rows.half().contiguous()
    return mixed


def write_weights(name: str, blend: float = 1.0) -> None:
    """The weights of a training run, and the charset; see the module for `blend`."""
    tensors = folded(trained(name))
    folder = MODELS / name
    if blend < 1.0:
        tensors = blended(tensors, load_file(folder / "model.safetensors"), blend)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    if name == "recogniser":
        (folder / "charset.txt").write_text("\n".join(charset()) + "\n", encoding="utf-8")
    size = (folder / "model.safetensors").stat().st_size / 1e6
    print(f"{name}: {sum(value.numel() for value in tensors.values())} weights, {size:.1f} MB")


def write_card(name: str) -> None:
    """The model card of the network in models/."""
    tensors = load_file(MODELS / name / "model.safetensors")
    scores = [json.loads(line) for line in (LOG / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    (MODELS / name / "MODEL_CARD.md").write_text(model_card(name, tensors, scores), encoding="utf-8")


def write_sums() -> None:
    """SHA256SUMS over every file of every network."""
    files = sorted(p for p in MODELS.rglob("*") if p.is_file() and p.name not in ("SHA256SUMS", "README.md"))
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(MODELS).as_posix()}" for p in files]
    (MODELS / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(NETWORKS), help="networks whose weights are written")
    parser.add_argument("--keep-weights", action="store_true", help="write all but the weights, about those in models/")
    parser.add_argument("--blend", type=float, default=1.0, help="share of the run's weights, the rest from models/")
    args = parser.parse_args()
    if not args.keep_weights:
        for name in args.names:
            write_weights(name, args.blend)
    for name in NETWORKS:
        (MODELS / name / "config.json").write_text(config_text(name), encoding="utf-8")
        write_card(name)
    parity.write({name: exported(name) for name in NETWORKS})
    write_sums()


if __name__ == "__main__":
    main()
