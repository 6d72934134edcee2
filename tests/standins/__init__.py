"""Stand-ins for what the paper's study downloads: a few kilobytes each, in the real formats."""
