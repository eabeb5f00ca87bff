"""The audit by instruments: what a caption says is held against what was measured, without asking a model."""
