"""The benchmark: how many alerts a second a machine takes in, the original's way and ours. No test."""
