"""Softmax cross-entropy, with and without smoothed labels."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dlsweep.nn.losses import label_smoothing, softmax_cross_entropy


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_loss_and_gradient(epsilon, scale):
    rng = np.random.default_rng(0)
    logits, t = scale * rng.standard_normal((10, 8)), rng.integers(10, size=8)
    z = torch.tensor(logits.T, requires_grad=True)
    theirs = F.cross_entropy(z, torch.tensor(t), label_smoothing=epsilon)
    theirs.backward()
    (loss, back, _), (added, back_added) = softmax_cross_entropy(logits[None], t), label_smoothing(logits[None], t)
    np.testing.assert_allclose((loss + epsilon * added).mean(), theirs.item(), rtol=1e-13)
    np.testing.assert_allclose((back() + epsilon * back_added())[0], z.grad.T, rtol=1e-12, atol=1e-15)
