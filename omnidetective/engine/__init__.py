"""Many clips: reading the input, worker processes, the one writer of the output, resume, progress."""
