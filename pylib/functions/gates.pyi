from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

swiglu: np.ufunc
swiglu_backward: np.ufunc
geglu: np.ufunc
geglu_backward: np.ufunc
reglu: np.ufunc
reglu_backward: np.ufunc

def glu(x: ArrayLike, axis: int = -1, *, out: NDArray[Any] | None = None) -> NDArray[Any]: ...
def glu_backward(
    grad: ArrayLike, x: ArrayLike, axis: int = -1, *, out: NDArray[Any] | None = None
) -> NDArray[Any]: ...
