"""What the functions are measured by: exact formulas, errors in ULP, differences, peers and timing.

The commands, the tests and the benchmarks import it; nothing else does, so it takes no part in ``import lanewise``.
"""
