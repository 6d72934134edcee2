"""From images to visual tokens: the half of a model that stands before its language model."""

from __future__ import annotations

from torch import Tensor

from paretoken.compressors.base import Adaptive, Compressor
from paretoken.compressors.specification import compressors_that, specification
from paretoken.errors import UserError
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.projector import Projector
from paretoken.models.vision import VisionEncoder


class Sight:
    """Encoder, compressor and projector of a model; it holds those that it needs."""

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
        """Return the visual tokens of images in the language model's width.

        Args:
            pixel_values: (images, channels, height, width).
            features: instead, (images, layers, patches, width) of ``config.feature_layers``.
            text: embeddings of the questions, for a compressor that reads them: one per place
                (places, hidden size).
            image_index: which image stands at each place; None: each image stands once.

        Returns:
            (places, V, hidden size of the language model), V the most that an elastic model makes.

        Raises:
            UserError: both or neither are given, or the model cannot use what is given.
        """
        compressor, projector, features = self._parts(pixel_values, features)
        if not specification(self.config.compressor).reads_text:
            tokens: Tensor = projector(compressor(features))
            return tokens if image_index is None else tokens[image_index]
        # One image has other tokens for each question. Without any place, one image and one text take
        # part all the same, so that devices do not wait for each other's gradients.
        shown = features if image_index is None or not len(image_index) else features[image_index]
        tokens = projector(compressor(shown, text))
        return tokens if image_index is None else tokens[: len(image_index)]

    def _parts(
        self, pixel_values: Tensor | None, features: Tensor | None
    ) -> tuple[Compressor, Projector, Tensor]:
        """Return compressor, projector and features (images, layers, patches, width) of images."""
        if self.compressor is None or self.projector is None:
            raise UserError("this model was made with 0 visual tokens: it accepts no image")
        if (pixel_values is None) == (features is None):
            raise UserError("give either pixel_values or precomputed features, and not both")
        if features is None:
            if self.vision_encoder is None:
                raise UserError("this model holds no vision encoder; give precomputed features")
            features = self.vision_encoder(pixel_values)
        dtype = self.projector.output.weight.dtype
        return self.compressor, self.projector, features.to(dtype)

    def adaptive_tokens(
        self, pixel_values: Tensor | None = None, features: Tensor | None = None
    ) -> list[Tensor]:
        """Return as many visual tokens as each image needs, one tensor (tokens, hidden size) per image.

        Args:
            pixel_values: images, see `visual_tokens`.
            features: or their features.

        Raises:
            UserError: the model's compressor gives every image as many.
        """
        compressor, projector, found = self._parts(pixel_values, features)
        if not isinstance(compressor, Adaptive):
            able = compressors_that(lambda facts: facts.adaptive)
            raise UserError(
                f"{self.config.compressor} gives every image {self.config.visual_tokens} tokens; only "
                f"{' and '.join(able)} can give each its own number"
            )
        return [projector(tokens) for tokens in compressor.adaptive(found)]
