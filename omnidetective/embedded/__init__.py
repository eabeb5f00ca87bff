"""The embedded cast's models: weights from packages, run on the CPU, no key and no network."""
