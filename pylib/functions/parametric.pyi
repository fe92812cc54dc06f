from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from .._typing import Array, F, Keywords, Numbers, Out, Where

@overload
def leaky_relu(
    x: NDArray[F], negative_slope: float = 0.01,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def leaky_relu(
    x: F, negative_slope: float = 0.01,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def leaky_relu(
    x: float, negative_slope: float = 0.01,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def leaky_relu(x: Numbers, negative_slope: Numbers = 0.01, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
@overload
def leaky_relu_backward(
    grad: NDArray[F], x: NDArray[F], negative_slope: float = 0.01,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def leaky_relu_backward(
    grad: F, x: F, negative_slope: float = 0.01,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def leaky_relu_backward(
    grad: float, x: float, negative_slope: float = 0.01,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def leaky_relu_backward(
    grad: Numbers, x: Numbers, negative_slope: Numbers = 0.01,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def prelu(
    x: NDArray[F], weight: float,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def prelu(
    x: F, weight: float,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def prelu(
    x: float, weight: float,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def prelu(x: Numbers, weight: Numbers, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
def prelu_backward(grad: Numbers, x: Numbers, weight: Numbers) -> tuple[Array, Array]: ...
@overload
def swish(
    x: NDArray[F], beta: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def swish(
    x: F, beta: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def swish(
    x: float, beta: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def swish(x: Numbers, beta: Numbers = 1.0, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
@overload
def swish_backward(
    grad: NDArray[F], x: NDArray[F], beta: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def swish_backward(
    grad: F, x: F, beta: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def swish_backward(
    grad: float, x: float, beta: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def swish_backward(
    grad: Numbers, x: Numbers, beta: Numbers = 1.0,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def softplus(
    x: NDArray[F], beta: float = 1.0,
    *, out: None = None, threshold: float = ..., where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def softplus(
    x: F, beta: float = 1.0,
    *, out: None = None, threshold: float = ..., where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def softplus(
    x: float, beta: float = 1.0,
    *, out: None = None, threshold: float = ..., where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def softplus(
    x: Numbers, beta: Numbers = 1.0,
    *, out: Out = None, threshold: Numbers = ..., **keywords: Unpack[Where],
) -> Any: ...
@overload
def softplus_backward(
    grad: NDArray[F], x: NDArray[F], beta: float = 1.0,
    *, out: None = None, threshold: float = ..., where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def softplus_backward(
    grad: F, x: F, beta: float = 1.0,
    *, out: None = None, threshold: float = ..., where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def softplus_backward(
    grad: float, x: float, beta: float = 1.0,
    *, out: None = None, threshold: float = ..., where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def softplus_backward(
    grad: Numbers, x: Numbers, beta: Numbers = 1.0,
    *, out: Out = None, threshold: Numbers = ..., **keywords: Unpack[Where],
) -> Any: ...
@overload
def elu(
    x: NDArray[F], alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def elu(
    x: F, alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def elu(
    x: float, alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def elu(x: Numbers, alpha: Numbers = 1.0, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
@overload
def elu_backward(
    grad: NDArray[F], x: NDArray[F], alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def elu_backward(
    grad: F, x: F, alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def elu_backward(
    grad: float, x: float, alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def elu_backward(
    grad: Numbers, x: Numbers, alpha: Numbers = 1.0,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def celu(
    x: NDArray[F], alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def celu(
    x: F, alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def celu(
    x: float, alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def celu(x: Numbers, alpha: Numbers = 1.0, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
@overload
def celu_backward(
    grad: NDArray[F], x: NDArray[F], alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def celu_backward(
    grad: F, x: F, alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def celu_backward(
    grad: float, x: float, alpha: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def celu_backward(
    grad: Numbers, x: Numbers, alpha: Numbers = 1.0,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def selu(
    x: NDArray[F],
    out: None = None, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def selu(
    x: F,
    out: None = None, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def selu(
    x: float,
    out: None = None, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def selu(
    x: Numbers,
    out: Out = None, *, alpha: Numbers = 1.6732632423543772, gamma: Numbers = 1.0507009873554805,
    **keywords: Unpack[Where],
) -> Any: ...
@overload
def selu_backward(
    grad: NDArray[F], x: NDArray[F],
    out: None = None, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def selu_backward(
    grad: F, x: F,
    out: None = None, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def selu_backward(
    grad: float, x: float,
    out: None = None, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def selu_backward(
    grad: Numbers, x: Numbers,
    out: Out = None, *, alpha: Numbers = 1.6732632423543772, gamma: Numbers = 1.0507009873554805,
    **keywords: Unpack[Where],
) -> Any: ...
@overload
def squareplus(
    x: NDArray[F], b: float = 4.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def squareplus(
    x: F, b: float = 4.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def squareplus(
    x: float, b: float = 4.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def squareplus(x: Numbers, b: Numbers = 4.0, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
@overload
def squareplus_backward(
    grad: NDArray[F], x: NDArray[F], b: float = 4.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def squareplus_backward(
    grad: F, x: F, b: float = 4.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def squareplus_backward(
    grad: float, x: float, b: float = 4.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def squareplus_backward(
    grad: Numbers, x: Numbers, b: Numbers = 4.0,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def hardsigmoid(
    x: NDArray[F],
    out: None = None, *, alpha: float = 0.16666666666666666, beta: float = 0.5,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def hardsigmoid(
    x: F,
    out: None = None, *, alpha: float = 0.16666666666666666, beta: float = 0.5,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def hardsigmoid(
    x: float,
    out: None = None, *, alpha: float = 0.16666666666666666, beta: float = 0.5,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def hardsigmoid(
    x: Numbers,
    out: Out = None, *, alpha: Numbers = 0.16666666666666666, beta: Numbers = 0.5, **keywords: Unpack[Where],
) -> Any: ...
@overload
def hardsigmoid_backward(
    grad: NDArray[F], x: NDArray[F],
    out: None = None, *, alpha: float = 0.16666666666666666, beta: float = 0.5,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def hardsigmoid_backward(
    grad: F, x: F,
    out: None = None, *, alpha: float = 0.16666666666666666, beta: float = 0.5,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def hardsigmoid_backward(
    grad: float, x: float,
    out: None = None, *, alpha: float = 0.16666666666666666, beta: float = 0.5,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def hardsigmoid_backward(
    grad: Numbers, x: Numbers,
    out: Out = None, *, alpha: Numbers = 0.16666666666666666, beta: Numbers = 0.5, **keywords: Unpack[Where],
) -> Any: ...
@overload
def hardtanh(
    x: NDArray[F], min_val: float = -1.0, max_val: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def hardtanh(
    x: F, min_val: float = -1.0, max_val: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def hardtanh(
    x: float, min_val: float = -1.0, max_val: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def hardtanh(
    x: Numbers, min_val: Numbers = -1.0, max_val: Numbers = 1.0,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def hardtanh_backward(
    grad: NDArray[F], x: NDArray[F], min_val: float = -1.0, max_val: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def hardtanh_backward(
    grad: F, x: F, min_val: float = -1.0, max_val: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def hardtanh_backward(
    grad: float, x: float, min_val: float = -1.0, max_val: float = 1.0,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def hardtanh_backward(
    grad: Numbers, x: Numbers, min_val: Numbers = -1.0, max_val: Numbers = 1.0,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def softshrink(
    x: NDArray[F], lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def softshrink(
    x: F, lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def softshrink(
    x: float, lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def softshrink(x: Numbers, lambd: Numbers = 0.5, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
@overload
def softshrink_backward(
    grad: NDArray[F], x: NDArray[F], lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def softshrink_backward(
    grad: F, x: F, lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def softshrink_backward(
    grad: float, x: float, lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def softshrink_backward(
    grad: Numbers, x: Numbers, lambd: Numbers = 0.5,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def hardshrink(
    x: NDArray[F], lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def hardshrink(
    x: F, lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def hardshrink(
    x: float, lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def hardshrink(x: Numbers, lambd: Numbers = 0.5, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
@overload
def hardshrink_backward(
    grad: NDArray[F], x: NDArray[F], lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def hardshrink_backward(
    grad: F, x: F, lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def hardshrink_backward(
    grad: float, x: float, lambd: float = 0.5,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def hardshrink_backward(
    grad: Numbers, x: Numbers, lambd: Numbers = 0.5,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
@overload
def threshold(
    x: NDArray[F], threshold: float, value: float,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def threshold(
    x: F, threshold: float, value: float,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def threshold(
    x: float, threshold: float, value: float,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def threshold(x: Numbers, threshold: Numbers, value: Numbers, *, out: Out = None, **keywords: Unpack[Where]) -> Any: ...
@overload
def threshold_backward(
    grad: NDArray[F], x: NDArray[F], threshold: float, value: float | None = None,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def threshold_backward(
    grad: F, x: F, threshold: float, value: float | None = None,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> F: ...
@overload
def threshold_backward(
    grad: float, x: float, threshold: float, value: float | None = None,
    *, out: None = None, where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> np.float64: ...
@overload
def threshold_backward(
    grad: Numbers, x: Numbers, threshold: Numbers, value: Numbers | None = None,
    *, out: Out = None, **keywords: Unpack[Where],
) -> Any: ...
