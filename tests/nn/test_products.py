"""Matrix products, cut into small ones or not."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from dlsweep.nn.products import product

SIDE = st.sampled_from([1, 3, 16, 50, 100, 130])


@given(st.integers(1, 4), SIDE, SIDE, st.sampled_from([1, 96, 97, 192, 480]), st.integers(0, 2**16))
@example(2, 100, 130, 97, 0)  # cut along K
def test_a_product_is_the_plain_one_and_a_runs_bits_are_its_own(
    runs: int, rows: int, inner: int, columns: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((runs, rows, inner)), rng.standard_normal((runs, inner, columns))
    np.testing.assert_allclose(product(a, b), np.einsum("rmk,rkn->rmn", a, b), atol=1e-12 * inner)
    a, b = a.astype(np.float32), b.astype(np.float32)
    together = product(a, b)
    assert together.dtype == np.float32
    assert together.flags.c_contiguous
    for r in range(runs):
        assert np.array_equal(together[r], product(a[r : r + 1], b[r : r + 1])[0])
