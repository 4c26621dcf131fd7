"""Starting a run from the exported weights: what is in git is enough to train further.

Export folds batch norm into the convolutions, and training needs it back. A first batch passes through the network; at
every convolution its batch statistics become the norm's gain and shift, so that the network computes what it did before.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from .checkpoint import LOG, Run
from .contract import LINES, MODELS
from .nets.blocks import ConvBn, Residual, running_statistics
from .nets.recogniser import Recogniser
from .new_classes import add_classes


@torch.no_grad()
def unfold(net: nn.Module, tensors: dict[str, Tensor], batch: Tensor) -> None:
    """Puts folded weights into `net`, such that its training-mode output on `batch` is that of the folded network.

    Residual blocks that the folded network lacks stay as they were made, which is without effect: a network may have grown
    deeper since.
    """

    def restore(name: str) -> Callable[[ConvBn, tuple[Tensor]], None]:
        weight, bias = tensors[f"{name}.weight"].float(), tensors[f"{name}.bias"].float()

        def hook(module: ConvBn, inputs: tuple[Tensor]) -> None:
            module.conv.weight.copy_(weight)
            raw = module.conv(inputs[0])
            mean, variance = raw.mean((0, 2, 3)), raw.var((0, 2, 3), unbiased=False)
            running_mean, running_variance = running_statistics(module.bn)
            running_mean.copy_(mean)
            running_variance.copy_(variance)
            module.bn.weight.copy_(torch.sqrt(variance + module.bn.eps))
            module.bn.bias.copy_(bias + mean)

        return hook

    grown = [f"{name}." for name, module in net.named_modules() if isinstance(module, Residual) and f"{name}.conv1.weight" not in tensors]
    norms = {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, ConvBn) and not any(name.startswith(block) for block in grown)
    }
    rest = {key: value.float() for key, value in tensors.items() if key.rsplit(".", 1)[0] not in norms}
    missing = net.load_state_dict(rest, strict=False).unexpected_keys
    if missing:
        raise ValueError(f"the exported weights have parts that the network lacks: {missing}")
    hooks = [module.register_forward_pre_hook(restore(name)) for name, module in norms.items()]
    net.train()
    net(batch)
    for hook in hooks:
        hook.remove()


def fewer_classes(net: nn.Module, tensors: dict[str, Tensor]) -> nn.Linear | None:
    """Takes a classifier of fewer classes than the network's out of `tensors`: its charset may have grown since. None of any other."""
    if not isinstance(net, Recogniser) or len(tensors["classifier.bias"]) >= net.config.classes:
        return None
    weight, bias = tensors.pop("classifier.weight").float(), tensors.pop("classifier.bias").float()
    known = nn.Linear(weight.shape[1], len(bias))
    known.load_state_dict({"weight": weight, "bias": bias})
    return known


GROWN_BIAS = -4.0
"""Logit of an output that the exported network lacks, before it has learned anything: what it stands for is rare."""


def lines_outputs(channels: dict[str, Any]) -> list[str]:
    """What each channel of a line detector's output means, by its config."""
    fields = channels["fields"]
    names = {channels["top"]: "top", channels["bottom"]: "bottom"}
    names |= dict(enumerate(fields)) | {channels["hidden"] + at: f"hidden {field}" for at, field in enumerate(fields)}
    return [names[at] for at in range(channels["count"])]


def known_outputs(name: str) -> list[str] | None:
    """What the outputs of the exported network mean, for those whose channels have names."""
    config = json.loads((MODELS / name / "config.json").read_text(encoding="utf-8"))
    return lines_outputs(config["channels"]) if name == "lines" else None


def more_outputs(net: nn.Module, tensors: dict[str, Tensor], known: list[str] | None = None) -> None:
    """Adds rows for outputs that the network has and `tensors` lack, to the detectors' head and the recogniser's centre: an output may
    have got new channels. They are at its end, or where the line detector's channels have them if `known` names those of `tensors`."""
    for name in ("head", "centre"):
        layer = getattr(net, name, None)
        if not isinstance(layer, nn.Conv2d) or f"{name}.weight" not in tensors:
            continue
        weight, bias = tensors[f"{name}.weight"].float(), tensors[f"{name}.bias"].float()
        wanted = lines_outputs(asdict(LINES.channels)) if known else list(range(layer.out_channels))
        rows = {output: at for at, output in enumerate(known or range(len(bias)))}
        grown_weight = torch.zeros(len(wanted), *weight.shape[1:])
        grown_bias = torch.full((len(wanted),), GROWN_BIAS)
        for at, output in enumerate(wanted):
            if output in rows:
                grown_weight[at], grown_bias[at] = weight[rows[output]], bias[rows[output]]
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = grown_weight, grown_bias


def warm_start(run: Run, batch: Tensor) -> None:
    """Fills a run that has not begun from models/, if there are weights of its shape; says what it did."""
    path = MODELS / run.name / "model.safetensors"
    if run.steps or not path.exists():
        return
    tensors = load_file(path)
    net = run.net
    known = fewer_classes(net, tensors)
    more_outputs(net, tensors, known_outputs(run.name))
    try:
        unfold(net, tensors, batch)
        if known is not None and isinstance(net, Recogniser):
            add_classes(net, known)
    except (KeyError, RuntimeError, ValueError) as error:
        print(f"{run.name}: starts from scratch, the exported weights do not fit ({error})", flush=True)
        return
    run.average = {key: value.detach().clone() for key, value in run.net.state_dict().items()}
    log = LOG / f"{run.name}.jsonl"
    if log.exists():
        last = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        run.steps, run.samples, run.seconds = last["steps"], last["samples"], last["seconds"]
    print(f"{run.name}: starts from the exported weights, after {run.samples} samples", flush=True)
