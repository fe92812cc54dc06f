"""What Python can do, C can: each flat public function has a C function, or stands here with the reason why not."""

import inspect

import lanewise as lw
import numpy as np
import pytest
from lanewise import functions, genome, ieee754, learning
from lanewise.embedding import ctypes_function
from lanewise.embedding import functions as c_functions

PUBLIC = {name for room in (functions, learning, genome, ieee754) for name in room.__all__
          if callable(getattr(room, name)) and not inspect.isclass(getattr(room, name))}
C_NAMES = set(c_functions())

#: Another name, or another function's result or parameter.
ELSEWHERE = {
    "prelu": "leaky_relu_float32",  # whose slope is an array of n
    "prelu_backward": "prelu_weight_backward_float32",  # and leaky_relu_backward for x
    "hardshrink_backward": "shrink_backward_float32",
    "softshrink_backward": "shrink_backward_float32",
    "softmin": "masked_softmax_float32",  # with a scale of -1
    "softmin_backward": "masked_softmax_backward_float32",
    "cross_entropy_backward": "cross_entropy_float32",  # its grad
    "cross_entropy_with_grad": "cross_entropy_float32",
    "instance_norm": "group_norm_float32",  # with a group for each channel
    "instance_norm_backward": "group_norm_backward_float32",
    "ponder_loss_backward": "ponder_loss_float32",  # its p and grad_logits
    "ponder_loss_with_grad": "ponder_loss_float32",
    "dropout_backward": "dropout_float32",  # of the same key, on the gradient
    "linear_backward": "bias_relu_backward_float32",  # around the caller's own product of matrices
    "linear": "bias_relu_float32",
    "clip_grad_norm": "sum_powers_float32",
    "he_normal": "normal_float32",
    "he_uniform": "uniform_float32",
    "xavier_normal": "normal_float32",
    "xavier_uniform": "uniform_float32",
    "random_population": "random_genome_uint8",
    "mx_encode": "encode_mxfp8_e4m3_float32",
    "mx_decode": "decode_mxfp8_e4m3_float32",
}
NONE = {
    "nll_loss": "takes one number of each row, and computes nothing",
    "nll_loss_backward": "puts one number in each row",
    "act_halting_backward": "two subtractions",
    "diversity": "a mean of hamming_distance_uint8",
    "rounding_error": "encode, decode and a subtraction",
    "rotary_tables": "made once, of exact decimal numbers",
    "gradient_flow": "takes apart a network of layers",
    "exponent_histogram": "counts for a report",
    "field_statistics": "counts for a report",
    "describe": "text",
    "exact_decimal": "text",
    "parse_number": "text",
    "format_of": "describes a dtype",
    "format_named": "describes a format",
}


def has_own(name):
    return any(of == name or of.startswith(f"{name}_{kind}") for of in C_NAMES
               for kind in ("float32", "uint8", "binary16_float32"))


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_function_has_a_door_or_a_reason(name):
    assert has_own(name) + (name in ELSEWHERE) + (name in NONE) == 1, "a C function, or a line in this file"
    assert ELSEWHERE.get(name, "silu_float32") in C_NAMES


def test_no_reason_outlives_its_function():
    assert set(ELSEWHERE) | set(NONE) <= PUBLIC


def test_float64_has_what_float32_has():
    alone = {name for name in C_NAMES if name.endswith("_float32") and f"{name[:-2]}64" not in C_NAMES}
    kinds = ("encode_", "decode_", "best_scale_", "linear4_", "tile_", "nvfp4_")  # codes, which are of float32
    assert {name for name in alone if not name.startswith(kinds)} == set()


def test_softmin_is_softmax_of_a_scale():
    x, grad = np.random.default_rng(1).normal(0, 5, (2, 7, 33)).astype(np.float32)
    y, grad_x = np.empty((2, 7, 33), np.float32)
    assert ctypes_function("masked_softmax_float32")(x, None, None, -1.0, y, 7, 33) == 1
    assert y.tobytes() == lw.softmin(x).tobytes()
    assert ctypes_function("masked_softmax_backward_float32")(grad, y, -1.0, grad_x, 7, 33) == 1
    assert grad_x.tobytes() == lw.softmin_backward(grad, y).tobytes()


def test_instance_norm_is_group_norm_of_each_channel():
    x = np.random.default_rng(2).normal(0, 5, (3, 4, 6)).astype(np.float32)
    y = np.empty_like(x)
    assert ctypes_function("group_norm_float32")(x, None, None, 1e-5, y, None, None, 3, 4, 6, 4) == 1
    assert y.tobytes() == lw.instance_norm(x).tobytes()


def test_what_has_no_elements_is_neither_read_nor_written(run_python):
    # every pointer is to a page that may not be touched, but for what does not grow with the sizes; groups may be 0
    # too, as there are none
    done = run_python("""
        import ctypes
        import mmap
        import sys
        import numpy as np
        from lanewise import embedding

        size = 1 << 16
        page = mmap.mmap(-1, size)
        at = ctypes.addressof(ctypes.c_char.from_buffer(page))
        protect = ctypes.CDLL(None).mprotect
        protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        assert protect(at, size, 0) == 0
        tables = np.zeros(64)
        for name in embedding.functions():
            of = embedding.signature(name)
            if not any(kind == "Py_ssize_t" for kind, _ in of.arguments):
                continue
            given = []
            for kind, role in of.arguments:
                if kind.endswith("*"):
                    fixed = role in ("order", "middles", "levels", "steps") or "window" in name
                    given.append(tables.ctypes.data if fixed else at + size // 2)
                else:
                    given.append(0.5 if kind in ("float", "double") else 0 if kind == "Py_ssize_t" else 16)
            print(name, flush=True)
            embedding.ctypes_function(name)(*given)
        print("all")
        """)
    assert done.stdout.endswith("all\n"), (done.stdout.splitlines()[-1:], done.returncode, done.stderr)
