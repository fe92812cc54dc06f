"""A digest of every elementwise function over numbers on which its error is measured, as JSON: every number of 16 bits,
in a backward with three of its gradients; every float64; and of float32 the neighbourhoods, and one of 7 of the rest.
test_same_bits.py runs it for each level, so that errors need measuring at one."""

import hashlib
import json

from hashes import bits
from lanewise.bounds import BOUNDS, GATE_BOUNDS
from lanewise.measure import accuracy

STEP = 4001  # of so many bit patterns of float32, test_activations.py measures one; a quarter of what the page has
SPREAD = range(1 << 14, 1 << 15)  # how long a chunk of float32 numbers from everywhere is; neighbourhoods are not


def share_of(name, dtype, size):
    if dtype == "float32":
        return 7 if size in SPREAD else 1
    return 3 if dtype != "float64" and name.endswith("_backward") else 1


def main():
    found = {}
    for name in (*BOUNDS, *GATE_BOUNDS):
        for dtype in accuracy.DTYPES:
            digest = hashlib.sha256()
            for k, (operands, parameters) in enumerate(accuracy.chunks(name, dtype, step=STEP)):
                share = share_of(name, dtype, operands[0].size)
                some = [operand[k % share::share] for operand in operands]
                for y in accuracy.computed(name, dtype, some, parameters):
                    digest.update(bits(y))
            found[f"{name} {dtype}"] = digest.hexdigest()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
