"""Writes the trained networks to models/: python -m shenfen_training.export [locator lines recogniser] [--cards]

For each network: model.safetensors (f16, batch norm folded into the convolutions), config.json, MODEL_CARD.md, the charset,
and models/parity/NAME.safetensors with an input and what PyTorch makes of it from exactly those weights. SHA256SUMS is
written over everything. With --cards only the cards are written, about the weights that are in models/.
"""

import argparse
import hashlib
import json
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .calibration import Calibration
from .calibration import load as load_calibration
from .charset import charset
from .checkpoint import LOG, TRAINING, averaged
from .model_cards import model_card
from .nets.blocks import ConvBn, running_statistics
from .nets.fpn import Fpn, FpnConfig
from .nets.recogniser import HEIGHT, STEP, Recogniser, RecogniserConfig
from .train_recogniser import CENTRE_THRESHOLD

MODELS = TRAINING.parent / "models"
FORMAT = 1
"""Version of the configs' meaning; the engine refuses others."""
PARITY_SEED = 11


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


def _detector(name: str) -> tuple[nn.Module, dict, tuple[int, ...]]:
    weights, saved = averaged(name)
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}
    config = FpnConfig(**given)
    net = Fpn(config)
    net.load_state_dict(weights)
    height, width = (192, 256) if name == "locator" else (320, 512)
    facts = {"input": [config.inputs, height, width], "output_stage": config.output_stage, "threshold": 0.4 if name == "locator" else 0.5}
    return net, facts, (1, config.inputs, height, width)


def _recogniser(name: str) -> tuple[nn.Module, dict, tuple[int, ...]]:
    weights, saved = averaged(name)
    net = Recogniser(RecogniserConfig(**saved))
    net.load_state_dict(weights)
    fitted: Calibration = load_calibration()
    facts = {
        "input": [1, HEIGHT, 0],
        "step": STEP,
        "classes": len(charset()),
        "centre_threshold": CENTRE_THRESHOLD,
        "temperature": fitted.temperature,
        "calibration": {"scale": fitted.scale, "bias": fitted.bias},
    }
    return net, facts, (1, 1, HEIGHT, 160)


def export(name: str, version: str) -> None:
    """Writes one network and its parity file."""
    net, facts, shape = (_recogniser if name == "recogniser" else _detector)(name)
    net.eval()
    tensors = folded(net)
    folder = MODELS / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    config = {"name": name, "format": FORMAT, "version": version, **facts}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    if name == "recogniser":
        (folder / "charset.txt").write_text("\n".join(charset()) + "\n", encoding="utf-8")
    write_card(name, tensors)
    _parity(name, _as_exported(net, tensors), shape)
    size = (folder / "model.safetensors").stat().st_size / 1e6
    print(f"{name}: {sum(value.numel() for value in tensors.values())} weights, {size:.1f} MB")


def write_card(name: str, tensors: dict[str, Tensor]) -> None:
    """The model card of a network with these weights."""
    scores = [json.loads(line) for line in (LOG / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    (MODELS / name / "MODEL_CARD.md").write_text(model_card(name, tensors, scores), encoding="utf-8")


@torch.inference_mode()
def _parity(name: str, net: nn.Module, shape: tuple[int, ...]) -> None:
    """Smooth random input: noise would make every channel alike."""
    rng = np.random.default_rng(PARITY_SEED)
    coarse = torch.from_numpy(rng.normal(0, 1, (1, shape[1], shape[2] // 8, shape[3] // 8)).astype(np.float32))
    image = torch.nn.functional.interpolate(coarse, shape[2:], mode="bilinear")
    tensors = {"input": image}
    if isinstance(net, Recogniser):
        features, centre = net(image)
        tensors["centre"] = centre[:, None, None]
        tensors["logits"] = net.classify(features[0])
    else:
        tensors["output"] = net(image)
    folder = MODELS / "parity"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors")


def write_sums() -> None:
    """SHA256SUMS over every file of every network."""
    files = sorted(p for p in MODELS.rglob("*") if p.is_file() and p.name not in ("SHA256SUMS", "README.md"))
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(MODELS).as_posix()}" for p in files]
    (MODELS / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["locator", "lines", "recogniser"])
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--cards", action="store_true", help="write only the model cards")
    args = parser.parse_args()
    for name in args.names:
        if args.cards:
            write_card(name, load_file(MODELS / name / "model.safetensors"))
        else:
            export(name, args.version)
    write_sums()


if __name__ == "__main__":
    main()
