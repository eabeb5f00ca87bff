"""What a run will be, before it is begun: how many clips, how long, how many calls, what they cost."""
