"""The sound networks: the encoder of Whisper, and Wav2Vec2."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import store
from tl_course.models.hub import SMALL, Family, read
from tl_course.models.pooling import Mean, numbered

RATE = 16_000  # samples a second
# of Whisper's spectrograms
SETTINGS = ("feature_size", "sampling_rate", "hop_length", "chunk_length", "n_fft", "dither")
SHORTEST = 400  # samples: 25 ms, what the first features of both families are made from


def _checked(sounds: torch.Tensor) -> torch.Tensor:
    """The sounds, if they are: float (N, samples) in [-1, 1]."""
    fault, cure = None, "Read them at 16 kHz, one channel, as floats"
    if not isinstance(sounds, torch.Tensor):
        fault, cure = f"of type {type(sounds).__name__}", "Pass split.inputs, a torch tensor"
    elif sounds.ndim != 2 or sounds.shape[1] < SHORTEST:
        fault = f"of shape {tuple(sounds.shape)}"
    elif not sounds.is_floating_point():
        fault, cure = f"of type {sounds.dtype}", "Divide 16-bit samples by 32768"
    elif sounds.numel() and not (sounds.amin() >= -1.001 and sounds.amax() <= 1.001):
        fault, cure = f"from {sounds.amin():.2f} to {sounds.amax():.2f}", "Divide by the largest"
    if fault:
        cause = f"a sound network takes floats in [-1, 1] of shape (N, {SHORTEST} samples or more)"
        raise store.BadInput(f"sounds {fault}", cause, cure)
    return sounds.float()


class Spectrograms(nn.Module):
    """Sounds to Whisper's input: log-mel spectrograms of a fixed length, silence behind.

    In: float (N, samples) in [-1, 1] at 16 kHz. Out: float32 (N, bands, frames); what is longer
    than the network's window, 30 seconds for the official one, is cut off. ``whisper``: settings
    of the library's feature extractor.
    """

    FIXED: ClassVar = {"kind": "spectrograms"}

    def __init__(self, whisper: Mapping[str, object]):
        from transformers import WhisperFeatureExtractor

        super().__init__()
        self.whisper = {**whisper}
        self.extract = WhisperFeatureExtractor(**whisper)

    def settings(self) -> dict[str, object]:
        """What it was made with."""
        return {"whisper": self.whisper}

    def forward(self, sounds: torch.Tensor) -> torch.Tensor:
        rows = [*_checked(sounds).cpu().numpy()]
        with torch.autocast("cpu", enabled=False):  # the library's own steps need every digit
            ready = self.extract(rows, sampling_rate=RATE, return_tensors="pt").input_features
        return ready.to(sounds.device)


class Waves(nn.Module):
    """Sounds to Wav2Vec2's input: each with a mean of 0 and a variance of 1.

    In: float (N, samples) in [-1, 1] at 16 kHz. Out: float32 of the same shape.
    """

    FIXED: ClassVar = {"kind": "waves", "rate": RATE}

    def __init__(self):  # without settings
        super().__init__()

    def forward(self, sounds: torch.Tensor) -> torch.Tensor:
        sounds = _checked(sounds)
        spread, mean = torch.var_mean(sounds, 1, correction=0, keepdim=True)
        return (sounds - mean) / (spread + 1e-7).sqrt()


def _spectrograms(network: nn.Module, folder: Path | None) -> Spectrograms:
    if folder is not None:
        from transformers import WhisperFeatureExtractor

        found = read(WhisperFeatureExtractor, "spectrogram settings", folder)
        return Spectrograms({name: getattr(found, name) for name in SETTINGS})
    bands, frames = network.config.num_mel_bins, 2 * network.config.max_source_positions
    return Spectrograms({"feature_size": bands, "chunk_length": frames // 100})


def _waves(network: nn.Module, folder: Path | None) -> Waves:
    return Waves()


class Ears(nn.Module):
    """Whisper's two convolutions: spectrograms (N, bands, frames) to (N, frames / 2, C)."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.first, self.second, self.positions = body.conv1, body.conv2, body.embed_positions

    def requires_grad_(self, requires_grad: bool = True) -> "Ears":
        super().requires_grad_(requires_grad)
        self.positions.requires_grad_(False)  # sine waves, which are never trained
        return self

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        found = F.gelu(self.second(F.gelu(self.first(spectrograms))))
        return found.transpose(1, 2) + self.positions.weight


class Frames(nn.Module):
    """A block of Whisper, which hears every frame."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.layer(frames, None)


def _whisper(network: nn.Module) -> dict[str, nn.Module]:
    body = network.encoder
    return {
        "conv": Ears(body),
        **numbered(map(Frames, body.layers), body.layer_norm),
        "head": nn.Sequential(network.projector, Mean(), network.classifier),
    }


class Front(nn.Module):
    """Wav2Vec2's convolutions: waves (N, samples) to (N, frames, C)."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        return self.layers(waves).transpose(1, 2)


class Projection(nn.Module):
    """Wav2Vec2's way from the convolutions to the blocks: projected, and told where they stand."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.projection = body.feature_projection
        self.positions = body.encoder.pos_conv_embed
        self.norm, self.dropout = body.encoder.layer_norm, body.encoder.dropout

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        projected = self.projection(frames)[0]
        return self.dropout(self.norm(projected + self.positions(projected)))


def _wav2vec2(network: nn.Module) -> dict[str, nn.Module]:
    body = network.wav2vec2
    return {
        "conv": Front(body.feature_extractor),
        "projection": Projection(body),
        **numbered(body.encoder.layers),
        "head": nn.Sequential(network.projector, Mean(), network.classifier),
    }


_WHISPER = {
    "d_model": 48,
    "encoder_layers": 3,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "num_mel_bins": 16,
    "max_source_positions": 50,
    "classifier_proj_size": 32,
    "vocab_size": 60,
    "decoder_layers": 1,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "decoder_start_token_id": 0,
}
_WAV2VEC2 = {
    **SMALL,
    "conv_dim": (32, 32, 32),
    "conv_kernel": (10, 8, 4),
    "conv_stride": (5, 8, 4),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 32,
    "vocab_size": 32,
}
_NEW = ("projector.", "classifier.")
# what the library leaves out at random while it trains would keep frozen stages from repeating
_STEADY = {"apply_spec_augment": False}
_NO_MASKS = {"mask_time_prob": 0.0, "mask_feature_prob": 0.0}
KINDS = (Spectrograms, Waves)
FAMILIES = {
    "whisper": Family(
        "WhisperForAudioClassification",
        _WHISPER,
        _whisper,
        _spectrograms,
        new=_NEW,
        settings={**_STEADY, "encoder_layerdrop": 0.0},
    ),
    "wav2vec2": Family(
        "Wav2Vec2ForSequenceClassification",
        _WAV2VEC2,
        _wav2vec2,
        _waves,
        new=_NEW,
        settings={**_STEADY, **_NO_MASKS, "layerdrop": 0.0},
    ),
}
