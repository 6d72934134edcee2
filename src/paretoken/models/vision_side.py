"""The vision side of a model: from images to visual tokens."""

from __future__ import annotations

from torch import Tensor

from paretoken.compressors.base import Adaptive, Compressor
from paretoken.compressors.specification import compressors_that, specification
from paretoken.errors import UserError
from paretoken.io.text_tables import counted
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.projector import Projector
from paretoken.models.vision import VisionEncoder


class VisionSide:
    """The vision encoder, compressor and projector of a model; those that it does not need are None."""

    config: ParetokenConfig
    vision_encoder: VisionEncoder | None
    compressor: Compressor | None
    projector: Projector | None

    def visual_tokens(
        self,
        pixel_values: Tensor | None = None,
        features: Tensor | None = None,
        text: Tensor | None = None,
        image_index: Tensor | None = None,
    ) -> Tensor:
        """Return the visual tokens of images, in the language model's width.

        Args:
            pixel_values: (images, channels, height, width).
            features: instead, (images, layers, patches, width) of ``config.feature_layers``.
            text: embeddings of the questions (places, hidden size), for a compressor that reads them.
            image_index: index of the image at each place; None: each image has one place.

        Returns:
            (places, V, hidden size of the language model); V is the maximum for an elastic model.

        Raises:
            UserError: both or neither are given, or the model does not accept them.
        """
        compressor, projector, features = self._parts(pixel_values, features)
        if not specification(self.config.compressor).reads_text:
            tokens: Tensor = projector(compressor(features))
            return tokens if image_index is None else tokens[image_index]
        # An image has different tokens for each question. Without any place, one image and one text are
        # still processed, so that devices do not wait for each other's gradients.
        shown = features if image_index is None or not len(image_index) else features[image_index]
        tokens = projector(compressor(shown, text))
        return tokens if image_index is None else tokens[: len(image_index)]

    def _parts(
        self, pixel_values: Tensor | None, features: Tensor | None
    ) -> tuple[Compressor, Projector, Tensor]:
        """Return the compressor, the projector and the features (images, layers, patches, width)."""
        if self.compressor is None or self.projector is None:
            raise UserError("this model has 0 visual tokens and does not accept images; leave them out")
        if (pixel_values is None) == (features is None):
            raise UserError("give either pixel_values or precomputed features, not both")
        if features is None:
            if self.vision_encoder is None:
                raise UserError("this model has no vision encoder; give precomputed features")
            features = self.vision_encoder(pixel_values)
        dtype = self.projector.output.weight.dtype
        return self.compressor, self.projector, features.to(dtype)

    def adaptive_tokens(
        self, pixel_values: Tensor | None = None, features: Tensor | None = None
    ) -> list[Tensor]:
        """Return the visual tokens of each image, whose number depends on the image.

        Args:
            pixel_values: images, see `visual_tokens`.
            features: features of images, see `visual_tokens`.

        Returns:
            One tensor (tokens, hidden size) per image.

        Raises:
            UserError: the model's compressor gives every image the same number of tokens.
        """
        compressor, projector, found = self._parts(pixel_values, features)
        if not isinstance(compressor, Adaptive):
            able = compressors_that(lambda facts: facts.adaptive)
            raise UserError(
                f"{self.config.compressor} gives every image "
                f"{counted(self.config.visual_tokens, 'token')}; only "
                f"{' and '.join(able)} can adapt the number to the image"
            )
        return [projector(tokens) for tokens in compressor.adaptive(found)]
