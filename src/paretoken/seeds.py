"""Which numbers are seeds: those that all random generators of this project take."""

#: numpy's new generators take any number from 0, torch those below 2^64, numpy's old one, which the
#: Trainer seeds, those below 2^32.
LARGEST_SEED = 2**32 - 1
