from typing import Any

from .calls import ctypes_function as ctypes_function
from .table import Signature as Signature
from .table import address as address
from .table import functions as functions
from .table import get_include as get_include
from .table import signature as signature

TABLE: Any
