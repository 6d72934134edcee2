"""What a study costs before it runs: tokens, FLOPs, memory, hours, disk. No numpy, no torch."""
