"""The entry point through which lmms-eval finds this project's models."""

from __future__ import annotations

from typing import Any

#: The value of lmms-eval's option `--model`.
MODEL_ID = "paretoken"


def manifest() -> Any:
    """Return the `ModelManifest` of this project's models; called by lmms-eval."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(
        model_id=MODEL_ID, simple_class_path="paretoken.evaluate.lmms_model.TrainedModel"
    )
