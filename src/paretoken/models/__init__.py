"""Vision-language models: a frozen encoder, a compressor, a projector and a causal LM.

Importing this package registers the model type ``paretoken`` with `transformers`, so that its Auto
classes load trained models without remote code::

    import paretoken.models
    from transformers import AutoModelForImageTextToText
    model = AutoModelForImageTextToText.from_pretrained("results/.../model")
"""

from transformers import AutoConfig, AutoModelForImageTextToText

from paretoken.models.configuration import ParetokenConfig
from paretoken.models.vlm import ParetokenModel

AutoConfig.register(ParetokenConfig.model_type, ParetokenConfig, exist_ok=True)
AutoModelForImageTextToText.register(ParetokenConfig, ParetokenModel, exist_ok=True)

__all__ = ["ParetokenConfig", "ParetokenModel"]
