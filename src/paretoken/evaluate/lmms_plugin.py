"""The entry point by which lmms-eval finds this project's models."""

from __future__ import annotations

from typing import Any

#: What `--model` of lmms-eval takes.
MODEL_ID = "paretoken"


def manifest() -> Any:
    """Return the `ModelManifest` of models that `paretoken train` wrote; called by lmms-eval."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(
        model_id=MODEL_ID, simple_class_path="paretoken.evaluate.lmms_model.TrainedModel"
    )
