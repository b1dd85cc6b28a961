"""Small models of the transformers library with random weights: {family: function that makes (model, example)}."""

import torch

from quantutils.workflow.nested import run


def _made(name, config, example, **choices):
    """A model of that class in eval mode, without dropout, and an example of its inputs."""
    import transformers

    torch.manual_seed(0)
    model = getattr(transformers, name)(getattr(transformers, config)(**choices))
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:  # so that fifty random layers in a row do not turn noise into signal
            norm.weight.fill_(0.2), norm.bias.fill_(1.0)
        for _ in range(30 if norms else 0):  # fresh statistics are none
            run(model.train(), example)
    return model.eval(), example


def _words(count=99, batch=2, length=12):
    return torch.randint(3, count, (batch, length), generator=torch.Generator().manual_seed(1))


def _pictures(size=32):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


TEXT = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
FAMILIES = {
    "BERT": lambda: _made(
        "BertForMaskedLM",
        "BertConfig",
        {"input_ids": _words(), "attention_mask": torch.ones(2, 12, dtype=torch.int64)},
        **TEXT,
    ),
    "ALBERT": lambda: _made("AlbertForMaskedLM", "AlbertConfig", {"input_ids": _words()}, embedding_size=16, **TEXT),
    "DeBERTa": lambda: _made("DebertaV2ForMaskedLM", "DebertaV2Config", {"input_ids": _words()}, **TEXT),
    "T5": lambda: _made(
        "T5ForConditionalGeneration",
        "T5Config",
        {"input_ids": _words(), "decoder_input_ids": _words(length=5), "use_cache": False},
        vocab_size=99,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
    ),
    "Whisper": lambda: _made(
        "WhisperForConditionalGeneration",
        "WhisperConfig",
        {
            "input_features": torch.randn(2, 16, 40, generator=torch.Generator().manual_seed(1)),
            "decoder_input_ids": _words(length=5),
            "use_cache": False,
        },
        vocab_size=99,
        num_mel_bins=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        d_model=32,
        max_source_positions=20,
        max_target_positions=20,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    ),
    "GPT-2": lambda: _made(
        "GPT2LMHeadModel",
        "GPT2Config",
        {"input_ids": _words(), "use_cache": False},
        vocab_size=99,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=20,
    ),
    "LLaMA": lambda: _made(
        "LlamaForCausalLM",
        "LlamaConfig",
        {"input_ids": _words(), "use_cache": False},
        num_key_value_heads=2,
        **TEXT,
    ),
    "Mixtral": lambda: _made(
        "MixtralForCausalLM",
        "MixtralConfig",
        {"input_ids": _words(), "use_cache": False},
        num_key_value_heads=2,
        num_local_experts=2,
        **TEXT,
    ),
    "Mamba": lambda: _made(
        "MambaForCausalLM",
        "MambaConfig",
        {"input_ids": _words(length=6), "use_cache": False},
        vocab_size=99,
        hidden_size=32,
        state_size=4,
        num_hidden_layers=2,
    ),
    "ViT": lambda: _made(
        "ViTForImageClassification",
        "ViTConfig",
        _pictures(),
        image_size=32,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
    ),
    "MobileNetV2": lambda: _made(
        "MobileNetV2ForImageClassification", "MobileNetV2Config", _pictures(64), depth_multiplier=0.25, image_size=64
    ),
    "CLIP": lambda: _made(
        "CLIPModel",
        "CLIPConfig",
        {"input_ids": _words(length=8), "pixel_values": _pictures()},
        text_config={**TEXT, "max_position_embeddings": 16, "eos_token_id": 2, "bos_token_id": 1},
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "image_size": 32,
            "patch_size": 8,
        },
        projection_dim=16,
    ),
    "DETR": lambda: _made(
        "DetrForObjectDetection",
        "DetrConfig",
        {"pixel_values": _pictures(64)},
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        num_queries=5,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config={
            "model_type": "resnet",
            "embedding_size": 8,
            "hidden_sizes": [8, 16],
            "depths": [1, 1],
            "out_features": ["stage2"],
            "layer_type": "basic",
        },
    ),
}
