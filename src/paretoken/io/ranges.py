"""Upper bounds of numbers, the same for the config, recipes and the command line.

Larger numbers are mistakes. They are rejected where they are read, before anything is made of them, such
as memory for so many channels, or so many threads.
"""

#: Sizes in billions of parameters, and ratios, rates and weights in recipes.
LARGEST = 100_000
#: Money, time, energy, FLOPs: budgets and prices in any unit.
LARGEST_AMOUNT = 1e24
#: Counts of anything.
MOST = 10**15
#: Parameters of a model: `LARGEST` billions.
MOST_PARAMETERS = LARGEST * 10**9
#: Tokens of a text or of an image: no model reads more.
MOST_TOKENS = 10**9
#: Patches per side of an encoder's grid; 24 is usual.
LARGEST_GRID = 1000
#: GPUs of one job.
LARGEST_JOB = 10_000
#: Hidden size of a network, and its attention heads.
LARGEST_WIDTH = 1_000_000
#: Layers of a network.
MOST_LAYERS = 1000
#: Questions, images or conversations at a time.
LARGEST_BATCH = 1_000_000
#: Threads or processes of one job on one machine: no machine has more cores.
MOST_THREADS = 1024
#: Replicates of a bootstrap, repetitions of a measurement, simulated data sets.
MOST_REPLICATES = 1_000_000
#: Waiting times, in seconds or minutes.
LONGEST_WAIT = 100_000
#: Seeds. numpy's new generators accept any number from 0, torch those below 2^64, and numpy's old one,
#: which the Trainer seeds, those below 2^32.
LARGEST_SEED = 2**32 - 1
