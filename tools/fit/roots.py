"""Slopes near their root: k(root + t) = t (c0 + c1 t + ...), so that a derivative keeps its relative accuracy where it
crosses zero. Chebyshev interpolation in high precision, printed as monomials in t. Run: python tools/fit/roots.py"""

from mpmath import mp, mpf

mp.dps = 60


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def normal_tail(a):
    return mp.erfc(a / mp.sqrt(2)) / 2


def silu_slope(x):
    return sigmoid(x) * (1 + x * sigmoid(-x))


def gelu_slope(x):
    return normal_tail(-x) + x * mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def gelu_tanh_exponent(x):
    return mp.sqrt(8 / mp.pi) * (x + mpf("0.044715") * x**3)


def gelu_tanh_slope(x):
    u = gelu_tanh_exponent(x)
    return sigmoid(u) * (1 + sigmoid(-u) * mp.sqrt(8 / mp.pi) * (x + 3 * mpf("0.044715") * x**3))


def mish_share(x):
    return mp.tanh(mp.log1p(mp.exp(x)))


def mish_slope(x):
    share = mish_share(x)
    return share + x * (1 - share**2) * sigmoid(x)


def fit(slope, start, half_width, degree):
    """Root, coefficients in t and the relative error."""
    root = mp.findroot(slope, start)
    nodes = [half_width * mp.cos(mp.pi * (2 * i + 1) / (2 * degree + 2)) for i in range(degree + 1)]
    nodes = [t if abs(t) > mpf(10) ** -20 else mpf(10) ** -20 for t in nodes]
    values = [slope(root + t) / t for t in nodes]
    rows = mp.matrix([[t**k for k in range(degree + 1)] for t in nodes])
    coefficients = list(mp.lu_solve(rows, mp.matrix(values)))
    probes = [half_width * (2 * mpf(i) + 1) / 80 for i in range(-40, 40)]
    error = max(abs(mp.polyval(coefficients[::-1], t) * t / slope(root + t) - 1) for t in probes)
    return root, coefficients, error


def main():
    for name, slope, start, half_width, degrees in (
        ("gelu", gelu_slope, -0.75, mpf("0.25"), (13,)),
        ("gelu_tanh", gelu_tanh_slope, -0.75, mpf("0.25"), (14,)),
        ("mish", mish_slope, -1.19, mpf("0.25"), (6, 14)),
    ):
        for degree in degrees:
            root, coefficients, error = fit(slope, start, half_width, degree)
            exponent = mp.nstr(mp.log(error, 2), 4)
            print(f"{name}: root {mp.nstr(root, 40)}, |t| <= {half_width}, relative error 2^{exponent}")
            for k, c in enumerate(coefficients):
                print(f"   t^{k}  {mp.nstr(c, 34 if k == 0 else 20)}")


if __name__ == "__main__":
    main()
