"""An observer for omnidetective: speech with word times and speakers, by WhisperX.

Importing this imports no model library: that happens at the first question.
"""

from omnidetective_whisperx.observer import WhisperX
from omnidetective_whisperx.settings import WhisperXSettings

__all__ = ["WhisperX", "WhisperXSettings"]
