"""The jobs of a study, their states, and the lock of their driver. Without numpy and torch."""
