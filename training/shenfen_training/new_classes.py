"""Rows of the classifier for classes that a trained recogniser has not had yet.

What a row is for a known class follows from what the network sees in its characters: a linear map from the mean features of a
class to its row is fitted on the known ones and gives the rows of the new. So a charset that has grown does not start from
nothing, and what was learned stays.
"""

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from .checkpoint import CACHE
from .crops import strip_input
from .nets.recogniser import STEP, Recogniser
from .strips.draw import StripArtist
from .strips.text import StripText

LOOKS = 5
"""So many drawn characters of a class make its mean."""
LINE = 8
"""Characters on a drawn line."""
RIDGE = 0.001
"""Pull of the map to nothing, a class, in units of a feature's variance."""
SHYNESS = 3.0
"""A new class begins so much less likely, in logits, than a known one that looks the same."""


@torch.no_grad()
def mean_features(net: Recogniser, classes: int, seed: int = 5) -> Tensor:
    """Mean features [classes, model] of characters of each class, in training faces, each beside chance neighbours."""
    artist, rng = StripArtist("train", CACHE), np.random.default_rng(seed)
    device = net.classifier.weight.device
    sums = torch.zeros(classes, net.config.model)
    counts = torch.zeros(classes)
    for _ in range(LOOKS):
        order = rng.permutation(classes)
        for at in range(0, classes, LINE):
            strip = artist.strip(rng, StripText(order[at : at + LINE]))
            features, _, _ = net(torch.from_numpy(strip_input(strip.grey))[None, None].to(device))
            steps = np.clip((strip.centres / STEP).astype(int), 0, features.shape[1] - 1)
            sums.index_add_(0, torch.from_numpy(strip.classes), features[0, steps].float().cpu())
            counts[strip.classes] += 1
    return sums / counts[:, None].clamp(min=1)


def rows_of(features: Tensor, known: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weights and biases of classes with mean features [N, model], of which the first are the known ones."""
    count = known.out_features
    centre, spread = features[:count].mean(0), features[:count].std(0).clamp(min=1e-4)
    x = torch.cat([(features - centre) / spread, torch.ones(len(features), 1)], 1).double()
    y = torch.cat([known.weight, known.bias[:, None]], 1).detach().cpu().double()
    gram = x[:count].T @ x[:count] + RIDGE * count * torch.eye(x.shape[1], dtype=torch.double)
    rows = (x[count:] @ torch.linalg.solve(gram, x[:count].T @ y)).float()
    return rows[:, :-1], rows[:, -1] - SHYNESS


@torch.no_grad()
def add_classes(net: Recogniser, known: nn.Linear) -> None:
    """Fills the classifier of `net`, which is trained but for it, from that of fewer classes."""
    cv2.setNumThreads(1)
    training = net.training
    net.eval()
    weight, bias = rows_of(mean_features(net, net.config.classes), known)
    net.classifier.weight.copy_(torch.cat([known.weight.cpu(), weight]))
    net.classifier.bias.copy_(torch.cat([known.bias.cpu(), bias]))
    net.train(training)
