"""The books of a run: who may call which model now. One process keeps them for all."""
