"""From measured errors to laws, frontiers and verdicts; numpy, scipy and pandas, never torch."""
