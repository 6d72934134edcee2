"""Names for the types of numpy's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Arrays of floats of any precision.
Array = NDArray[np.floating[Any]]
#: Arrays of 64-bit floats.
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
