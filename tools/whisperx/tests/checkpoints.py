"""Tiny models in the real forms on disk, made here because no hub can be reached.

``random_whisper`` is untrained and guesses. ``speaking_whisper`` is untrained too, save that its layers hand their
input on and its position embeddings spell a text: whatever it hears, it says that, so that words go the whole real way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_TEXT_TOKENS = 50257
_VOCABULARY = 51865
_WIDTH = 64


def random_whisper(folder: Path) -> Path:
    """An untrained recogniser in CTranslate2's form."""
    return _converted(_whisper(), folder)


def speaking_whisper(folder: Path, text: str, *, language: str = "en") -> Path:
    """A recogniser that says one text whatever it hears, and takes every language for this one."""
    import torch

    model, tokenizer = _whisper(), _tokenizer()
    layers: Any = model.model.decoder.layers
    said = [*tokenizer.encode(text).ids, tokenizer.token_to_id("<|endoftext|>")]
    with torch.no_grad():
        for layer in layers:
            for last in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                last.weight.zero_()
                last.bias.zero_()
        words = model.model.decoder.embed_tokens.weight.normal_()
        model.proj_out.weight.copy_(words)
        positions = model.model.decoder.embed_positions.weight.zero_()
        # The prompt is <start><language><transcribe><no times>: the answer begins behind its last token.
        positions[0] = 10 * words[tokenizer.token_to_id(f"<|{language}|>")]
        for n, token in enumerate(said):
            positions[3 + n] = 10 * words[token]
    return _converted(model, folder)


def _whisper() -> Any:
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(1)
    config = WhisperConfig(
        vocab_size=_VOCABULARY, num_mel_bins=80, d_model=_WIDTH, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    tokenizer = _tokenizer()
    languages = {f"<|{code}|>": tokenizer.token_to_id(f"<|{code}|>") for code in _languages()}
    model.generation_config = GenerationConfig(
        suppress_tokens=[], begin_suppress_tokens=[220, tokenizer.token_to_id("<|endoftext|>")],
        lang_to_id=languages,
        alignment_heads=[[0, 0]], decoder_start_token_id=tokenizer.token_to_id("<|startoftranscript|>"),
    )  # fmt: skip
    return model


def _languages() -> list[str]:
    """Those of Whisper before its third large model, which has one more."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    return [code for code in _LANGUAGE_CODES if code != "yue"]


def _tokenizer() -> Any:
    """Byte-level BPE without merges, with the special tokens where Whisper has them."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: n for n, character in enumerate(characters)}
    vocabulary |= {f"unused{n}": n for n in range(len(characters), _TEXT_TOKENS)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["endoftext", "startoftranscript", *_languages()]
    special += ["translate", "transcribe", "startoflm", "startofprev", "nocaptions", "notimestamps"]
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in special])
    tokenizer.add_tokens([f"<|{n * 0.02:.2f}|>" for n in range(1501)])
    assert tokenizer.get_vocab_size() == _VOCABULARY
    return tokenizer


def _converted(model: Any, folder: Path) -> Path:
    from ctranslate2.converters import TransformersConverter
    from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor

    source = folder.with_name(folder.name + "-transformers")
    model.save_pretrained(source)
    special = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    PreTrainedTokenizerFast(tokenizer_object=_tokenizer(), **special).save_pretrained(source)
    WhisperFeatureExtractor().save_pretrained(source)
    copied = ["tokenizer.json", "preprocessor_config.json"]
    TransformersConverter(str(source), copy_files=copied).convert(str(folder), quantization="int8")
    return folder


def random_aligner(folder: Path, characters: str = "abcdefghijklmnopqrstuvwxyz'") -> Path:
    """An untrained wav2vec 2.0 with a letter classifier."""
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    folder.mkdir(parents=True)
    vocabulary = {name: n for n, name in enumerate(["[PAD]", "[UNK]", "|", *characters])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), unk_token="[UNK]", pad_token="[PAD]")
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(), tokenizer).save_pretrained(folder)
    torch.manual_seed(2)
    config = Wav2Vec2Config(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, pad_token_id=0,
    )  # fmt: skip
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    return folder


def sentence_data(folder: Path, languages: Sequence[str] = ("english",)) -> Path:
    """NLTK's Punkt data with two abbreviations: a folder for ``NLTK_DATA``."""
    for language in languages:
        data = folder / "tokenizers" / "punkt_tab" / language
        data.mkdir(parents=True)
        (data / "abbrev_types.txt").write_text("mr\nmrs\n")
        for empty in ("collocations.tab", "sent_starters.txt", "ortho_context.tab"):
            (data / empty).write_text("")
    return folder


def random_diarization(folder: Path) -> Path:
    """An untrained pyannote pipeline: tiny networks for turns and for voices."""
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import XVectorSincNet
    from pyannote.audio.models.segmentation import PyanNet

    torch.manual_seed(3)
    small: dict[str, Any] = {"hidden_size": 8, "num_layers": 1, "bidirectional": True, "monolithic": True}
    turns = PyanNet(lstm=small, linear={"hidden_size": 8, "num_layers": 1})
    turns.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION, resolution=Resolution.FRAME, duration=5.0,
        classes=["a", "b"], powerset_max_classes=1, permutation_invariant=True,
    )  # fmt: skip
    turns.build()
    voices = XVectorSincNet(dimension=16)
    voices.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=3.0)
    voices.build()
    for name, model in (("segmentation", turns), ("embedding", voices)):
        _save_pyannote(model, folder / name)
    _save_plda(folder / "plda")
    (folder / "config.yaml").write_text(
        "pipeline:\n"
        "  name: pyannote.audio.pipelines.SpeakerDiarization\n"
        "  params:\n"
        "    segmentation: $model/segmentation\n"
        "    embedding: $model/embedding\n"
        "    plda: $model/plda\n"
        "    clustering: AgglomerativeClustering\n"
        "    segmentation_step: 0.5\n"
        "params:\n"
        "  segmentation: {min_duration_off: 0.0}\n"
        "  clustering: {method: centroid, min_cluster_size: 1, threshold: 0.5}\n"
    )
    return folder


def _save_pyannote(model: Any, folder: Path) -> None:
    import pytorch_lightning
    import torch

    folder.mkdir(parents=True)
    checkpoint: dict[str, Any] = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": pytorch_lightning.__version__,
    }
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / "pytorch_model.bin")


def _save_plda(folder: Path) -> None:
    """Statistics of voices that change nothing; the clustering above has no use for them, the pipeline loads them."""
    import numpy as np

    folder.mkdir(parents=True)
    wide, narrow = 256, 128
    np.savez(
        folder / "xvec_transform.npz",
        mean1=np.zeros(wide), mean2=np.zeros(narrow), lda=np.eye(wide, narrow),
    )  # fmt: skip
    np.savez(folder / "plda.npz", mu=np.zeros(narrow), tr=np.eye(narrow), psi=np.ones(narrow))
