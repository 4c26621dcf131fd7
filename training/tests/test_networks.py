"""Export and warm start keep what a network computes; targets say what was drawn."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from shenfen_training.contract import LINES
from shenfen_training.decoding import cell_centres
from shenfen_training.detection_tasks import (
    encode_lines,
    encode_locator,
    locate,
)
from shenfen_training.export import _as_exported, blended, folded
from shenfen_training.nets.fpn import Fpn, FpnConfig
from shenfen_training.nets.recogniser import Recogniser, RecogniserConfig
from shenfen_training.new_classes import SHYNESS, rows_of
from shenfen_training.schedule import Schedule
from shenfen_training.warm_start import GROWN_BIAS, fewer_classes, lines_outputs, more_outputs, unfold

FPN = FpnConfig(inputs=3, outputs=10, widths=(4, 6, 8), blocks=(0, 1, 1), top=8, output_stage=1)


def lively(net: torch.nn.Module) -> torch.nn.Module:
    """Weights and batch norms with nothing at its default."""
    torch.manual_seed(3)
    for value in net.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) * 0.5 + (0.5 if value.ndim == 1 else -0.25))
    return net


@pytest.mark.parametrize("net", [Fpn(FPN), Recogniser(RecogniserConfig(classes=20, stem=4, low=6, high=8, model=10))])
def test_export_folds_batch_norm_without_changing_the_output(net):
    net = lively(net).eval()
    image = torch.randn(1, 3 if isinstance(net, Fpn) else 1, 32, 64)
    before = net(image)
    after = _as_exported(net, folded(net))(image)
    before, after = (x if isinstance(x, torch.Tensor) else x[0] for x in (before, after))
    assert torch.allclose(before, after, rtol=0.02, atol=0.02 * before.abs().max().item())


def test_warm_start_computes_what_the_exported_network_does():
    torch.manual_seed(4)
    batch = torch.randn(4, 3, 32, 64)
    net = Fpn(FPN)
    net.train()
    for _ in range(20):
        net(batch)
    tensors = folded(net.eval())
    fresh = Fpn(FPN)
    unfold(fresh, tensors, batch)
    fresh.train()
    assert torch.allclose(fresh(batch), net(batch), atol=0.02)


def test_warm_start_of_a_network_that_has_grown_deeper_computes_the_same():
    torch.manual_seed(5)
    batch = torch.randn(4, 1, 32, 64)
    shape = {"classes": 20, "stem": 4, "low": 6, "high": 8, "model": 10}
    net = Recogniser(RecogniserConfig(**shape, blocks1=1, blocks2=1, context=1))
    net.train()
    for _ in range(20):
        net(batch)
    grown = Recogniser(RecogniserConfig(**shape, blocks1=2, blocks2=3, context=2))
    unfold(grown, folded(net.eval()), batch)
    grown.train()
    for before, after in zip(net(batch), grown(batch), strict=True):
        assert torch.allclose(before, after, atol=0.02)


def test_locator_target_is_decoded_back_to_the_card():
    quad = np.array([[60, 80], [200, 90], [195, 180], [55, 170]], np.float32)
    target = encode_locator(np.zeros((256, 256, 3), np.uint8), [("back", quad)])

    class Oracle(torch.nn.Module):
        def forward(self, _):
            present, which = (np.where(share == 1, 6.0, -6.0) for share in (target[:1], target[11:15]))
            heads = [present, target[1:10], which, target[15:17]]
            return torch.from_numpy(np.concatenate(heads).astype(np.float32))[None]

    (card,) = locate(Oracle(), np.zeros((256, 256, 3), np.uint8))
    assert card.side == "back" and card.confidence > 0.9
    assert np.allclose(card.quad, quad, atol=1e-3)


def test_lines_target_covers_the_middle_half_of_the_em_box():
    quad = np.array([[100, 40], [300, 40], [300, 60], [100, 60]], np.float32)
    chars = np.array([[0.1, 0.0], [0.5, 0.3], [0.9, 1.0]], np.float32)
    target = encode_lines(np.zeros((320, 512), np.uint8), [(3, quad, chars)])
    centres = cell_centres(80, 128, LINES.stride)
    core = target[3] > 0
    assert core.any() and not np.delete(target[: LINES.channels.top], 3, axis=0).any()
    hidden = target[LINES.channels.hidden + 3]
    along = (centres[..., 0] - 100) / 200
    assert (hidden[core & (along > 0.72)] == 1).all() and (hidden[core & (along < 0.28)] == 0).all()
    assert (hidden[core & (along > 0.32) & (along < 0.68)] == -1).all() and not hidden[~core].any()
    assert (centres[core][:, 1] > 45).all() and (centres[core][:, 1] < 55).all()
    assert np.allclose((target[LINES.channels.top] + target[LINES.channels.bottom])[core] * LINES.distance_unit, 20, atol=1e-3)
    assert np.allclose((centres[..., 1] - target[LINES.channels.top] * LINES.distance_unit)[core], 40, atol=1e-3)


def test_the_learning_rate_warms_up_and_ends_at_the_floor():
    schedule = Schedule(minutes=1, peak=1.0, floor=0.1, warmup_steps=4)
    rates = [schedule.rate() for _ in range(8)]
    assert rates[0] < rates[1] < rates[3] and rates[4] == pytest.approx(1.0, abs=1e-3)
    schedule.begin -= 60
    assert schedule.over and schedule.rate() == pytest.approx(0.1)


def test_rows_of_new_classes_follow_from_their_features_as_those_of_the_known_do():
    torch.manual_seed(4)
    features = torch.randn(400, 6) * 3 + 1
    follows = torch.randn(7, 6)
    rows = features @ follows.T
    known = torch.nn.Linear(6, 300)
    known.load_state_dict({"weight": rows[:300, :6], "bias": rows[:300, 6]})
    weight, bias = rows_of(features, known)
    assert torch.allclose(weight, rows[300:, :6], atol=0.05)
    assert torch.allclose(bias + SHYNESS, rows[300:, 6], atol=0.05)


def test_only_a_classifier_that_has_fewer_classes_is_taken_out():
    net = Recogniser(RecogniserConfig(classes=20, stem=4, low=6, high=8, model=10))
    tensors = folded(net)
    assert fewer_classes(net, tensors) is None and "classifier.bias" in tensors
    grown = Recogniser(RecogniserConfig(classes=23, stem=4, low=6, high=8, model=10))
    known = fewer_classes(grown, tensors)
    assert known.out_features == 20 and "classifier.bias" not in tensors and "classifier.weight" not in tensors
    assert torch.allclose(known.weight, net.classifier.weight, atol=1e-3)
    assert fewer_classes(Fpn(FPN), folded(Fpn(FPN))) is None


def test_warm_start_adds_new_channels_behind_the_known_ones_and_keeps_these():
    torch.manual_seed(6)
    batch = torch.randn(4, 3, 32, 64)
    known = Fpn(FPN)
    known.train()
    for _ in range(20):
        known(batch)
    tensors = folded(known.eval())
    grown = Fpn(FpnConfig(**{**vars(FPN), "outputs": 13}))
    more_outputs(grown, tensors)
    assert tensors["head.weight"].shape[0] == 13 and torch.allclose(tensors["head.bias"][10:], torch.full((3,), GROWN_BIAS))
    unfold(grown, tensors, batch)
    assert torch.allclose(grown(batch)[:, :10], known(batch), atol=0.02)


def test_warm_start_of_the_line_detector_moves_known_channels_to_where_they_are_now():
    fields = ["name", "address"]
    known = lines_outputs({"fields": fields, "top": 2, "bottom": 3, "hidden": 4, "count": 6})
    assert known == ["name", "address", "top", "bottom", "hidden name", "hidden address"]
    now = lines_outputs(asdict(LINES.channels))
    known = [now[0], "top", "bottom", f"hidden {now[0]}"]
    grown = Fpn(FpnConfig(**{**vars(FPN), "outputs": len(now)}))
    rows = torch.arange(4.0)
    tensors = {"head.weight": rows.reshape(4, 1, 1, 1).expand(4, grown.head.in_channels, 1, 1), "head.bias": rows}
    more_outputs(grown, tensors, known)
    bias = dict(zip(now, tensors["head.bias"].tolist(), strict=True))
    assert [bias[name] for name in known] == [0, 1, 2, 3] and bias["permitNumber"] == GROWN_BIAS
    assert (tensors["head.weight"][LINES.channels.bottom] == 2).all() and not tensors["head.weight"][1].any()


def test_blended_weights_lie_between_and_new_rows_stay_whole():
    old = {"centre.weight": torch.ones(1, 4).half()}
    new = {"centre.weight": torch.full((2, 4), 3.0).half()}
    mixed = blended(new, old, 0.25)["centre.weight"]
    assert torch.equal(mixed, torch.tensor([[1.5] * 4, [3.0] * 4]).half())
