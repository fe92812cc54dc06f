from typing import Any, Literal, overload

from .._typing import Array, Numbers

@overload
def batch_norm(
    x: Numbers, running_mean: Array | None = None, running_var: Array | None = None, weight: Numbers | None = None,
    bias: Numbers | None = None, *, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
    out: Array | None = None, return_stats: Literal[False] = False,
) -> Array: ...
@overload
def batch_norm(
    x: Numbers, running_mean: Array | None = None, running_var: Array | None = None, weight: Numbers | None = None,
    bias: Numbers | None = None, *, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
    out: Array | None = None, return_stats: Literal[True],
) -> tuple[Array, Array, Array]: ...
@overload
def batch_norm(
    x: Numbers, running_mean: Array | None = None, running_var: Array | None = None, weight: Numbers | None = None,
    bias: Numbers | None = None, *, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
    out: Array | None = None, return_stats: bool,
) -> Any: ...
def batch_norm_backward(
    grad: Numbers, x: Numbers, weight: Numbers | None = None,
    *, mean: Numbers, rstd: Numbers, training: bool = False, out: Array | None = None,
) -> tuple[Array, Array, Array]: ...
@overload
def group_norm(
    x: Numbers, num_groups: int, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, out: Array | None = None, return_stats: Literal[False] = False,
) -> Array: ...
@overload
def group_norm(
    x: Numbers, num_groups: int, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, out: Array | None = None, return_stats: Literal[True],
) -> tuple[Array, Array, Array]: ...
@overload
def group_norm(
    x: Numbers, num_groups: int, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, out: Array | None = None, return_stats: bool,
) -> Any: ...
def group_norm_backward(
    grad: Numbers, x: Numbers, num_groups: int, weight: Numbers | None = None,
    *, mean: Numbers | None = None, rstd: Numbers | None = None, eps: float = 1e-5, out: Array | None = None,
) -> tuple[Array, Array, Array]: ...
