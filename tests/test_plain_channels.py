"""batch_norm and its backward of plain arrays, which are computed in one call, against those of others; and gradients
in inference, which are products."""

import lanewise as lw
import ml_dtypes
import numpy as np
import oracles
import pytest
from test_channel_norms import numbers, spread


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", [(9, 33), (9, 20, 4, 4), (8, 19, 2, 2), (9, 5, 65), (3, 17, 7), (2, 3, 300),
                                   (8, 40, 15, 17), (35, 16), (70, 1024)])
@pytest.mark.parametrize("size", [1.0, 1e-30])
def test_plain_arrays_have_the_bits_of_others(shape, dtype, size):
    # plain ones are computed in one call, short segments of theirs in rows of whole examples
    size = max(size, 1e-3) if dtype == "float16" else size
    x, grad = numbers(*shape, dtype=dtype, mean=3), numbers(*shape, dtype=dtype, seed=1)
    x *= x.dtype.type(size)
    vectors = [np.abs(vector) for vector in numbers(4, shape[1], dtype=dtype)]
    for training in (True, False):
        found = []
        for spaced in (1, 2):
            values, gradient = (np.repeat(array, spaced, -1)[..., ::spaced] for array in (x, grad))
            own = [np.repeat(vector, spaced)[::spaced] for vector in vectors]
            y, mean, rstd = lw.batch_norm(values, *own, training=training, return_stats=True)
            back = lw.batch_norm_backward(gradient, values, own[2], mean=mean, rstd=rstd, training=training)
            found.append([array.tobytes() for array in (y, mean, rstd, *own, *back)])
        assert found[0] == found[1]


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", [(9, 33), (9, 20, 4, 4), (3, 5, 300)])
def test_gradients_of_inference_are_products(shape, dtype):
    # grad * rstd * weight: zeros keep their signs, and what x holds is no business of theirs
    x, grad = numbers(2, *shape, dtype=dtype)
    grad[0], x[1] = -0.0, np.inf
    mean, rstd, weight = np.abs(numbers(3, shape[1]))
    double = np.zeros((*shape[:-1], 2 * shape[-1]), x.dtype)
    double[..., ::2] = grad
    for gradient in (grad, double[..., ::2]):
        grad_x = lw.batch_norm_backward(gradient, x, weight, mean=mean, rstd=rstd)[0]
        exact = grad.astype(float) * spread(rstd, x) * spread(weight, x)
        np.testing.assert_allclose(grad_x.astype(float), exact, rtol=8 * float(ml_dtypes.finfo(x.dtype).eps))
        assert (np.signbit(grad_x) == np.signbit(grad)).all()


@pytest.mark.parametrize("shape", [(2, 2, 5), (4, 2), (40, 2), (2, 2, 300)])
@pytest.mark.parametrize("spaced", [1, 2])
def test_gradients_of_inference_whose_factors_are_large(shape, spaced):
    # weight times rstd is beyond float32, and the gradient is not
    grad = np.zeros(shape, np.float32)
    grad[0, 0] = 1e-30
    grad = np.repeat(grad, spaced, -1)[..., ::spaced]
    found, *_ = lw.batch_norm_backward(grad, 0 * grad, np.full(2, 1e9, np.float32), mean=np.zeros(2, np.float32),
                                       rstd=np.full(2, 2.0**110, np.float32), training=False)
    np.testing.assert_allclose(found, grad * np.float64(1e9) * 2.0**110, rtol=1e-6)
