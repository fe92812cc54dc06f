# The counter-based generator: the known answers of its authors, and streams that do not depend on the work's order.
import numpy as np
import pytest

# Random123, tests/kat_vectors: philox4x32 10
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return np.array([int(word, 16) for word in text.split()], np.uint32)


@pytest.fixture
def philox(registers):
    """Return the function from counters and a key to random words."""

    def words_of(counters, key):
        random_words = np.empty_like(counters)
        registers.philox4x32(counters, key, random_words)
        return random_words

    return words_of


def philox_in_python(counter, key):
    c, left, right = [int(word) for word in counter], key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ left, q & 0xFFFFFFFF, p >> 32 ^ c[3] ^ right, p & 0xFFFFFFFF]
        left, right = (left + 0x9E3779B9) & 0xFFFFFFFF, (right + 0xBB67AE85) & 0xFFFFFFFF
    return c


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(philox, counter, key, answer):
    left, right = words(key)
    assert philox(words(counter)[None], int(left) | int(right) << 32).tolist() == [words(answer).tolist()]


def test_against_plain_python(philox):
    rng = np.random.default_rng(1)
    counters = rng.integers(0, 2**32, (50, 4), dtype=np.uint32)
    key = int(rng.integers(0, 2**64, dtype=np.uint64))
    assert philox(counters, key).tolist() == [philox_in_python(counter, key) for counter in counters]
