import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_satkd.data.quantiles import nearest_quantiles

SAMPLES = arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.just(2), st.just(3), st.just(2)),
    elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
)


@settings(deadline=None)
@given(SAMPLES, st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_they_are_those_of_numpy(images, shares):
    for band in range(2):
        expected = np.quantile(images[..., band], shares, method="nearest")
        # 0 and -0 are equal.
        np.testing.assert_array_equal(np.array(nearest_quantiles(images, band, shares), np.float32), expected)
