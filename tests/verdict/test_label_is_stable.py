"""A label does not depend on the scale of the logits, nor on noise in the weights that leaves the answers right."""

import pytest
import torch
from circle_networks import circle_network

from grokinterp.runs import Snapshot
from grokinterp.verdict import find_verdict


def scaled(snapshot: Snapshot, factor: float) -> Snapshot:
    weights = dict(snapshot.weights)
    for name in ("unembed.W_U", "unembed.b_U"):
        weights[name] = weights[name] * factor
    return Snapshot(0, snapshot.task, snapshot.config, weights)


def with_a_wrong_pair(snapshot: Snapshot) -> Snapshot:
    """One more neuron, that acts on no pair but (0, 0), whose answer it spoils: a loss as large as the logits."""
    task, config = snapshot.task, snapshot.config.model_copy(update={"d_mlp": snapshot.config.d_mlp + 1})
    block = "blocks.0.mlp."
    mid = snapshot.activation("blocks.0.hook_resid_mid").double()
    direction = (torch.linalg.pinv(mid - mid.mean(dim=0), rtol=1e-6) @ _indicator(mid))[:, 0]
    shown = mid @ direction
    others = shown[1:].max()
    assert shown[0] > others
    weights = dict(snapshot.weights)
    slope = 1 / (shown[0] - others)
    weights[block + "W_in"] = torch.cat([weights[block + "W_in"], (slope * direction[:, None]).float()], dim=1)
    weights[block + "b_in"] = torch.cat([weights[block + "b_in"], (-slope * others)[None].float()])
    spoils = 1.5 * float(snapshot.logits[0].max() - snapshot.logits[0].min())
    spoiled = spoils * torch.eye(weights["unembed.W_U"].shape[1]).double()[3]
    out = torch.linalg.pinv(weights["unembed.W_U"].double().T) @ spoiled
    weights[block + "W_out"] = torch.cat([weights[block + "W_out"], out[None].float()])
    return Snapshot(0, task, config, weights)


def _indicator(mid: torch.Tensor) -> torch.Tensor:
    return (torch.arange(len(mid)) == 0).double()[:, None]


@pytest.mark.parametrize("kind", ["clock", "pizza"])
def test_the_scale_of_the_logits_does_not_matter(kind):
    snapshot = circle_network(23, {3: 6.0, 7: 5.0, 8: 4.0}, kind)
    whole, spoiled = (
        [find_verdict(scaled(network, factor), full=False, triples=100) for factor in (1e-4, 1.0, 1e4)]
        for network in (snapshot, with_a_wrong_pair(snapshot))
    )
    assert len({verdict.label for verdict in whole + spoiled}) == 1
    assert all(verdict.measured.all_accuracy < 1 for verdict in spoiled)
    # At that scale the one wrong pair makes the network's loss worse than guessing, and nothing can be recovered of it.
    assert not spoiled[2].loss_recovered > 0.9
    assert spoiled[2].judgement.account.tempered > 0.9


@pytest.mark.parametrize("kind", ["clock", "pizza"])
@pytest.mark.parametrize("seed", range(3))
def test_noise_of_a_tenth_of_the_weights_does_not_matter(kind, seed):
    amplitudes = {3: 9.0, 5: 8.0, 7: 8.0, 8: 7.0}
    noisy = circle_network(23, amplitudes, kind, noise=0.1, seed=seed)
    verdict = find_verdict(noisy, full=False, triples=100)
    if verdict.measured.all_accuracy >= 0.99:
        assert verdict.label == {"clock": "torus", "pizza": "pizza"}[kind]
    else:
        assert verdict.label in ("memorised", "not generalised")


@pytest.mark.long
@pytest.mark.parametrize("change", ["1e-4", "1e4", "noise 0", "noise 1"])
def test_the_shipped_network_keeps_its_label(mainline, change):
    snapshot = mainline.snapshot()
    if change.startswith("noise"):
        generator = torch.Generator().manual_seed(int(change[-1]))
        weights = {
            name: weight + 0.1 * weight.std() * torch.randn(weight.shape, generator=generator)
            for name, weight in snapshot.weights.items()
        }
        changed = Snapshot(0, snapshot.task, snapshot.config, weights)
    else:
        changed = scaled(snapshot, float(change))
    verdict = find_verdict(changed, full=False, triples=500)
    assert (verdict.label, verdict.judgement.published) == ("filled pizza", "clock")
