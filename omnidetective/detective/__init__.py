"""The detective: decides what to ask whom next, and when to conclude (Omni-Captioner, §Omni-Detective)."""
