#!/usr/bin/env bash
# jax.numpy's int4 is ml_dtypes' dtype, but a number too large for it is another one in each: JAX takes the nearest
# number of the format, NumPy with ml_dtypes the low four bits. So moving a quantiser's last line, astype(int4), from
# NumPy to JAX changes 8 from -8 to 7. The 8-bit floats of the two agree to the bit.
#
# jax 0.10.2, ml_dtypes 0.6.0: 7 8 15 16 -9 as int4
#   jax: 7 7 7 7 -8 (with and without jit); ml_dtypes: 7 -8 -1 0 7
#   -1 2.5 16 as uint4: 0 2 15 in jax, 15 2 0 in ml_dtypes
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 ml_dtypes==0.6.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

for name, given, of_jax, of_ml_dtypes in (("int4", [7, 8, 15, 16, -9], [7, 7, 7, 7, -8], [7, -8, -1, 0, 7]),
                                          ("uint4", [-1, 2.5, 16], [0, 2, 15], [15, 2, 0])):
    x = np.array(given, np.float32)
    plain = jnp.asarray(x).astype(getattr(jnp, name)).astype(jnp.int32)
    jitted = jax.jit(lambda y, name=name: y.astype(getattr(jnp, name)).astype(jnp.int32))(x)
    wrapped = x.astype(getattr(ml_dtypes, name)).astype(np.int32)
    print(name, x, "jax", plain, "with jit", jitted, "ml_dtypes", wrapped)
    assert plain.tolist() == jitted.tolist() == of_jax
    assert wrapped.tolist() == of_ml_dtypes
SCRIPT
