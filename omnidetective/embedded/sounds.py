"""Kinds of sound: YAMNet (AudioSet, 521 classes) in ONNX, with its front end in numpy.

The front end is that of the original (tensorflow/models, research/audioset/yamnet): 16 kHz mono, frames of 400 samples
(periodic Hann) every 160, magnitude of a 512-point FFT, 64 mel bands from 125 to 7500 Hz, natural logarithm with an
offset of 0.001, patches of 96 frames every 48: 0.96 s every 0.48 s.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

from omnidetective.embedded.inference import load_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE_HZ = 16_000
PACKAGES = ("onnxruntime",)
WEIGHTS = "yamnet"

_FRAME = 400
_HOP = 160
_FFT = 512
_BANDS = 64
_LOWEST_HZ = 125.0
_HIGHEST_HZ = 7500.0
_LOG_OFFSET = 0.001
_PATCH_FRAMES = 96
_PATCH_HOP_FRAMES = 48
PATCH_S = _PATCH_FRAMES * _HOP / RATE_HZ
PATCH_HOP_S = _PATCH_HOP_FRAMES * _HOP / RATE_HZ

# How the quantised model reads its input and writes its output: its initializers audio_scale, audio_zero_point,
# class_scores_scale and class_scores_zero_point. The file is pinned by its hash, so they cannot change.
_INPUT_SCALE, _INPUT_ZERO = 0.04793788492679596, 144
_OUTPUT_SCALE, _OUTPUT_ZERO = 0.7565417289733887, 190


class SoundModel:
    """YAMNet, and the names of its classes."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        """Load it.

        Args:
            folder: with ``model.onnx``, ``model.data`` and ``yamnet_class_map.csv``.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        with (folder / "yamnet_class_map.csv").open(newline="", encoding="utf-8") as file:
            self.labels = tuple(row["display_name"].lower() for row in csv.DictReader(file))

    @classmethod
    def shared(cls, folder: Path, *, threads: int) -> SoundModel:
        """The one model of this process for this folder."""
        return load_once(("yamnet", folder, threads), lambda: cls(folder, threads=threads))

    def scores(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of all classes for each patch.

        Args:
            samples: mono, 16 kHz, -1…1.

        Returns:
            Shape ``(patches, 521)``, 0…1. Patch ``n`` is heard from ``n * 0.48`` s to ``n * 0.48 + 0.96`` s.
        """
        import numpy as np

        patches = log_mel_patches(samples)
        quantised = np.clip(np.round(patches / _INPUT_SCALE) + _INPUT_ZERO, 0, 255).astype(np.uint8)
        rows = [self._session.run(None, {self._input: patch[None, None]})[0].reshape(-1) for patch in quantised]
        if not rows:
            return np.zeros((0, len(self.labels)), np.float32)
        logits = (np.stack(rows).astype(np.float32) - _OUTPUT_ZERO) * np.float32(_OUTPUT_SCALE)
        found: NDArray[np.float32] = 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))
        return found


def log_mel_patches(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model's input: shape ``(patches, 96, 64)``. The end is filled up with silence; no samples, no patches."""
    import numpy as np

    if samples.size == 0:
        return np.zeros((0, _PATCH_FRAMES, _BANDS), np.float32)
    frames = max(0, math.ceil((samples.size - _FRAME) / _HOP)) + 1
    patches = max(0, math.ceil((frames - _PATCH_FRAMES) / _PATCH_HOP_FRAMES)) + 1
    frames = (patches - 1) * _PATCH_HOP_FRAMES + _PATCH_FRAMES
    padded = np.zeros((frames - 1) * _HOP + _FRAME, np.float32)
    padded[: samples.size] = samples[: padded.size]
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)).astype(np.float32)
    mel = _mel_matrix()
    log_mel = np.empty((frames, _BANDS), np.float32)
    # In blocks: the spectrum of a long piece is eight times as large as its sound.
    for first in range(0, frames, 4096):
        spectrum = np.abs(np.fft.rfft(windows[first : first + 4096] * hann, n=_FFT)).astype(np.float32)
        log_mel[first : first + 4096] = np.log(spectrum @ mel + np.float32(_LOG_OFFSET))
    return np.lib.stride_tricks.sliding_window_view(log_mel, _PATCH_FRAMES, axis=0)[::_PATCH_HOP_FRAMES].transpose(
        0, 2, 1
    )


def _mel_matrix() -> NDArray[np.float32]:
    """Weights from FFT bins to mel bands, shape ``(257, 64)``: triangles on the HTK mel scale, not normalised."""
    import numpy as np

    def mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0))

    bins = mel(np.linspace(0.0, RATE_HZ / 2, _FFT // 2 + 1))
    edges = np.linspace(mel(_LOWEST_HZ), mel(_HIGHEST_HZ), _BANDS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - lower) / (centre - lower)
    falling = (upper - bins[:, None]) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights.astype(np.float32)
