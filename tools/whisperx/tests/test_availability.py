"""What is said before a run, from what is on this machine, without importing a model library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import whisperx
from omnidetective_whisperx import upstream

from omnidetective.errors import ObserverUnavailableError


def refused(**settings: Any) -> ObserverUnavailableError:
    with pytest.raises(ObserverUnavailableError) as caught:
        whisperx(**settings)
    return caught.value


def cached(hub: Path, repository: str, *files: str) -> Path:
    """A repository in the hub's cache, as its client leaves it."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    for name in files:
        (snapshot / name).write_text("")
    return snapshot


def test_a_recogniser_that_is_not_here_is_told_with_the_command_that_fetches_it(hub: Path) -> None:
    error = refused(model="tiny", align=False)
    assert error.reason == "no_weights"
    assert error.hint.startswith("hf download Systran/faster-whisper-tiny")
    assert "observers.whisperx.download=true" in error.hint
    whisperx(model="tiny", align=False, download=True)
    cached(hub, "Systran/faster-whisper-tiny", "model.bin")
    whisperx(model="tiny", align=False)


def test_a_name_that_nobody_knows_is_told_with_those_that_are_known() -> None:
    error = refused(model="enormous", align=False)
    assert error.reason == "configuration"
    assert "large-v3" in error.message


def test_a_folder_has_to_hold_a_model(tmp_path: Path) -> None:
    error = refused(model=str(tmp_path), align=False)
    assert error.reason == "no_weights"
    assert "model.bin" in error.message
    assert refused(model=str(tmp_path / "absent"), align=False).reason in ("configuration", "no_weights")


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        (
            {"language": "en"},
            "https://download.pytorch.org/torchaudio/models/wav2vec2_fairseq_base_ls960_asr_ls960.pth",
        ),
        ({"language": "ru"}, "hf download jonatasgrosman/wav2vec2-large-xlsr-53-russian"),
        ({"align_model": "somebody/aligner"}, "hf download somebody/aligner"),
    ],
)
def test_an_alignment_model_that_is_not_here_is_told(models: Path, settings: dict[str, Any], command: str) -> None:
    error = refused(model=str(models / "speaking"), **settings)
    assert error.reason == "no_weights"
    assert command in error.hint
    whisperx(model=str(models / "speaking"), align=False, **settings)
    whisperx(model=str(models / "speaking"), download=True, **settings)


def test_a_language_without_an_alignment_model_is_told_before_the_run(models: Path) -> None:
    error = refused(model=str(models / "speaking"), language="mi")
    assert error.reason == "configuration"
    assert "observers.whisperx.align=false" in error.hint
    whisperx(model=str(models / "speaking"), language="mi", align_model=str(models / "aligner"))


def test_a_language_that_whisper_does_not_know_is_told_before_the_run(models: Path) -> None:
    error = refused(model=str(models / "speaking"), align=False, language="xx")
    assert error.reason == "configuration"
    assert "'xx'" in error.message


def test_alignment_models_in_the_caches_are_found(models: Path, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = hub.parent / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "wav2vec2_voxpopuli_base_10k_asr_fr.pt").write_text("")
    monkeypatch.setenv("TORCH_HOME", str(hub.parent / "torch"))
    whisperx(model=str(models / "speaking"), language="fr")
    cached(hub, "jonatasgrosman/wav2vec2-large-xlsr-53-dutch", "pytorch_model.bin")
    whisperx(model=str(models / "speaking"), language="nl")


def test_missing_sentence_data_are_told(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLTK_DATA", str(tmp_path))
    error = refused(model=str(models / "speaking"))
    assert error.reason == "no_weights"
    assert error.hint.startswith("python -m nltk.downloader punkt_tab")
    (tmp_path / "tokenizers").mkdir()
    (tmp_path / "tokenizers" / "punkt_tab.zip").write_text("")
    whisperx(model=str(models / "speaking"))


def test_telling_speakers_apart_takes_a_token_or_the_model(
    models: Path, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"model": str(models / "speaking"), "align": False, "diarize": True}
    error = refused(**settings, download=True)
    assert error.reason == "no_token"
    assert "HF_TOKEN" in error.hint
    assert "https://hf.co/pyannote/speaker-diarization-community-1" in error.hint
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    whisperx(**settings, download=True)
    error = refused(**settings)
    assert error.reason == "no_weights"
    assert "hf download pyannote/speaker-diarization-community-1" in error.hint
    assert "canary" not in str(error)
    monkeypatch.delenv("HF_TOKEN")
    assert "config.yaml" in refused(**settings, diarize_model=str(tmp_path)).message
    cached(hub, "pyannote/speaker-diarization-community-1", "config.yaml")
    whisperx(**settings)


def test_cuda_that_is_not_there_is_told(models: Path) -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("there is a GPU")
    error = refused(model=str(models / "speaking"), align=False, device="cuda")
    assert (error.reason, error.hint) == ("no_cuda", "--set observers.whisperx.device=cpu")


def test_without_whisperx_the_command_that_installs_it_is_told(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective_whisperx.available.importlib.util.find_spec", lambda name: None)
    error = refused(model=str(models / "speaking"))
    assert (error.reason, error.hint) == ("not_installed", "pip install omnidetective-whisperx")


def test_setting_it_up_imports_no_model_library(models: Path) -> None:
    script = f"""
import sys
from conftest import whisperx
whisperx(model={str(models / "speaking")!r}, align_model={str(models / "aligner")!r}, language="en")
heavy = {{"torch", "torchaudio", "whisperx", "pyannote", "transformers", "ctranslate2", "faster_whisper", "pandas"}}
print(sorted(heavy & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_the_tables_are_those_of_the_installed_packages() -> None:
    import faster_whisper.tokenizer
    import faster_whisper.utils
    import torchaudio
    from whisperx import alignment

    tables = alignment.DEFAULT_ALIGN_MODELS_HF | alignment.DEFAULT_ALIGN_MODELS_TORCH
    assert {code: upstream.align_model_for(code) for code in tables} == tables
    assert upstream.align_model_for("mi") is None
    assert upstream.languages() == faster_whisper.tokenizer._LANGUAGE_CODES
    names = faster_whisper.utils.available_models()
    assert list(upstream.whisper_names()) == names
    assert upstream.whisper_repository("turbo") == "mobiuslabsgmbh/faster-whisper-large-v3-turbo"
    assert upstream.whisper_repository("somebody/whisper") == "somebody/whisper"
    for name in alignment.DEFAULT_ALIGN_MODELS_TORCH.values():
        assert upstream.torchaudio_file(name) == getattr(torchaudio.pipelines, name)._path
    assert upstream.torchaudio_file("somebody/aligner") is None
