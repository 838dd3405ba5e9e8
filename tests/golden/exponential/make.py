"""The polynomial of `exp` in src/model/activation.rs: of all of degree five that begin
with 1 + r, the one whose largest relative error from e^r is the least where |r| is at
most half of ln 2. Lawson's algorithm: least squares, weighted ever more where the error
is large. Needs numpy. Prints the coefficients, the lowest first, and the error."""

import numpy as np

HALF = np.log(2) / 2 * 1.0005
r = HALF * np.cos(np.linspace(0, np.pi, 4001))
exact = np.exp(r)
powers = np.stack([r**k for k in range(2, 6)], axis=1) / exact[:, None]
wanted = (exact - 1 - r) / exact
weights = np.ones_like(r)
for _ in range(3000):
    root = np.sqrt(weights)
    coefficients = np.linalg.lstsq(powers * root[:, None], wanted * root, rcond=None)[0]
    error = np.abs(powers @ coefficients - wanted)
    weights *= error / error.max() + 1e-9
    weights /= weights.mean()
print([1.0, 1.0, *coefficients], error.max())
