"""Probe, frames, sound, fetch: the only place that runs ffmpeg, decodes media, or opens the network for media."""
