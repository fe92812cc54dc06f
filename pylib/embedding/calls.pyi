from collections.abc import Callable
from typing import Any

def ctypes_function(name: str) -> Callable[..., Any]: ...
