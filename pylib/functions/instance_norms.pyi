from typing import Any, Literal, overload

from .._typing import Array, Numbers

@overload
def instance_norm(
    x: Numbers, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, out: Array | None = None, return_stats: Literal[False] = False,
    running_mean: Array | None = None, running_var: Array | None = None, use_input_stats: bool = True,
    momentum: float = 0.1,
) -> Array: ...
@overload
def instance_norm(
    x: Numbers, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, out: Array | None = None, return_stats: Literal[True],
    running_mean: Array | None = None, running_var: Array | None = None, use_input_stats: bool = True,
    momentum: float = 0.1,
) -> tuple[Array, Array, Array]: ...
@overload
def instance_norm(
    x: Numbers, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, out: Array | None = None, return_stats: bool,
    running_mean: Array | None = None, running_var: Array | None = None, use_input_stats: bool = True,
    momentum: float = 0.1,
) -> Any: ...
def instance_norm_backward(
    grad: Numbers, x: Numbers, weight: Numbers | None = None,
    *, mean: Numbers | None = None, rstd: Numbers | None = None, eps: float = 1e-5, out: Array | None = None,
    use_input_stats: bool = True,
) -> tuple[Array, Array, Array]: ...
