"""What the stubs say of arrays and of ufuncs. Nothing imports this at run time.

A string is no number, though NumPy's own ``ArrayLike`` takes one; and a ufunc is called with anything at all, as far as
NumPy says. These say how many arrays each takes, and of what."""

from collections.abc import Iterator
from os import PathLike
from typing import Any, Literal, Protocol, SupportsIndex, TypeAlias, TypedDict, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Array", "Binary", "Bytes", "F", "Float32", "Into", "Keywords", "Nested", "Numbers", "Out", "Path", "Rng",
           "Scalar", "SupportsArray", "TernaryPair", "Unary", "Where"]

Array: TypeAlias = NDArray[Any]
Bytes: TypeAlias = NDArray[np.uint8]
Float32: TypeAlias = NDArray[np.float32]
Path: TypeAlias = str | PathLike[str]
Rng: TypeAlias = SupportsIndex | np.random.Generator
Scalar: TypeAlias = float | np.number[Any] | np.bool
F = TypeVar("F", bound=np.floating[Any])
T = TypeVar("T", covariant=True)


class SupportsArray(Protocol):
    """An array, or what becomes one: of NumPy, or of a library whose arrays say how."""

    def __array__(self) -> Array: ...


class Nested(Protocol[T]):
    """A list, tuple or the like of numbers, of whatever depth. What `str` looks for in itself is text alone."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> "T | Nested[T]": ...
    def __contains__(self, x: object, /) -> bool: ...
    def __iter__(self, /) -> "Iterator[T | Nested[T]]": ...
    def __reversed__(self, /) -> "Iterator[T | Nested[T]]": ...


Numbers: TypeAlias = Scalar | SupportsArray | Nested[Scalar | SupportsArray]
Out: TypeAlias = Array | tuple[Array] | None


class Keywords(TypedDict, total=False):
    """What every ufunc takes, whatever it returns."""

    casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"]
    order: Literal["K", "A", "C", "F"]
    subok: bool
    signature: Any


class Where(Keywords, total=False):
    """And what decides where there are results, and of which dtype."""

    where: Numbers
    dtype: DTypeLike


class Into(Where, total=False):
    """And where they go."""

    out: Array | tuple[Array | None, ...] | None


class _Ufunc(Protocol):
    # what both have of np.ufunc
    @property
    def __name__(self) -> str: ...
    @property
    def nin(self) -> int: ...
    @property
    def nout(self) -> int: ...
    @property
    def nargs(self) -> int: ...
    @property
    def ntypes(self) -> int: ...
    @property
    def types(self) -> list[str]: ...


class Unary(_Ufunc, Protocol):
    """A ufunc of one array, such as `lanewise.silu`."""

    @overload
    def __call__(self, x: NDArray[F], /, out: None = None, *, where: Numbers = ..., dtype: None = ...,
                 **keywords: Unpack[Keywords]) -> NDArray[F]: ...
    @overload
    def __call__(self, x: F, /, out: None = None, *, where: Numbers = ..., dtype: None = ...,
                 **keywords: Unpack[Keywords]) -> F: ...
    @overload
    def __call__(self, x: float, /, out: None = None, *, where: Numbers = ..., dtype: None = ...,
                 **keywords: Unpack[Keywords]) -> np.float64: ...
    @overload
    def __call__(self, x: Numbers, /, out: NDArray[F] | tuple[NDArray[F]], *, where: Numbers = ...,
                 dtype: DTypeLike = ..., **keywords: Unpack[Keywords]) -> NDArray[F]: ...
    @overload
    def __call__(self, x: Numbers, /, out: Out = None, *, where: Numbers = ..., dtype: DTypeLike = ...,
                 **keywords: Unpack[Keywords]) -> Any: ...


class Binary(_Ufunc, Protocol):
    """A ufunc of two arrays, such as `lanewise.silu_backward`."""

    @overload
    def __call__(self, a: NDArray[F], b: NDArray[F], /, out: None = None, *, where: Numbers = ..., dtype: None = ...,
                 **keywords: Unpack[Keywords]) -> NDArray[F]: ...
    @overload
    def __call__(self, a: F, b: F, /, out: None = None, *, where: Numbers = ..., dtype: None = ...,
                 **keywords: Unpack[Keywords]) -> F: ...
    @overload
    def __call__(self, a: Numbers, b: Numbers, /, out: NDArray[F] | tuple[NDArray[F]], *, where: Numbers = ...,
                 dtype: DTypeLike = ..., **keywords: Unpack[Keywords]) -> NDArray[F]: ...
    @overload
    def __call__(self, a: Numbers, b: Numbers, /, out: Out = None, *, where: Numbers = ..., dtype: DTypeLike = ...,
                 **keywords: Unpack[Keywords]) -> Any: ...


class TernaryPair(_Ufunc, Protocol):
    """A ufunc of three arrays that gives two, such as `lanewise.geglu_backward`."""

    @overload
    def __call__(self, a: NDArray[F], b: NDArray[F], c: NDArray[F], /, *, out: None = None, where: Numbers = ...,
                 dtype: None = ..., **keywords: Unpack[Keywords]) -> tuple[NDArray[F], NDArray[F]]: ...
    @overload
    def __call__(self, a: Numbers, b: Numbers, c: Numbers, /, *, out: tuple[Array | None, Array | None] | None = None,
                 where: Numbers = ..., dtype: DTypeLike = ..., **keywords: Unpack[Keywords]) -> tuple[Any, Any]: ...
