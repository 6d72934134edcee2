"""The vision-language model as one `PreTrainedModel`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from paretoken.compressors.specification import specification
from paretoken.errors import UserError
from paretoken.models.adapter import new_adapter
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.language import answer_loss, decoder_of, full_loss, plain_head
from paretoken.models.merging import merge_image_tokens, reduce_tokens
from paretoken.models.question_states import Cache, embed_cached, embed_questions
from paretoken.models.vision import VisionEncoder, encoded_side
from paretoken.models.vision_side import VisionSide

#: Arguments that are used in the first step of a generation only.
IMAGE_ARGUMENTS = (
    "pixel_values", "features", "image_tokens", "image_index", "token_counts", "question_ids",
    "question_mask", "text",
)  # fmt: skip


class ParetokenModel(VisionSide, PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """A causal LM that reads V visual tokens per image among its text tokens.

    In ``input_ids`` each image has V consecutive placeholders, ``config.image_token_id``, which are
    replaced by the compressed and projected features of the image. Images are given as ``pixel_values``
    or as precomputed ``features``; a model with V = 0 takes neither.
    """

    config_class = ParetokenConfig
    config: ParetokenConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ["image", "text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = True  # the Trainer then passes num_items_in_batch
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: ParetokenConfig) -> None:
        super().__init__(config)
        self.vision_encoder = (
            None
            if config.vision_config is None
            else VisionEncoder(
                config.vision_config,
                config.feature_layers,
                config.normalise_features,
                side=encoded_side(config.compressor, config.visual_tokens),
            )
        )
        self.compressor, self.projector = new_adapter(config)
        language: Any = AutoModelForCausalLM  # its methods are untyped
        self.language_model = language.from_config(config.text_config, trust_remote_code=False)
        #: Cache of question embeddings; None while the language model is trained.
        self.question_cache: Cache | None = None
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the weights that the modules created (see `new_adapter`)."""

    def get_input_embeddings(self) -> nn.Module:
        """Return the token embedding of the language model."""
        embedding: nn.Module = self.language_model.get_input_embeddings()
        return embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the token embedding of the language model."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the output layer of the language model."""
        head: nn.Module = self.language_model.get_output_embeddings()
        return head

    def question_embeddings(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return question embeddings (questions, hidden size), see `paretoken.models.question_states`.

        Args:
            ids: token ids (questions, length), padded on either side.
            mask: (questions, length), 0 at padding; None: there is no padding.
        """
        mask = torch.ones_like(ids) if mask is None else mask
        if self.question_cache is None:
            return embed_questions(self.language_model, ids, mask)
        return embed_cached(self.language_model, ids, mask, self.question_cache)

    def embed(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        features: Tensor | None = None,
        image_index: Tensor | None = None,
        token_counts: Tensor | None = None,
        text: Tensor | None = None,
        image_tokens: Tensor | None = None,
    ) -> Tensor:
        """Return input embeddings (batch, length, width) with the visual tokens merged in.

        Args:
            input_ids: (batch, length), V placeholders per image.
            pixel_values: images, see `visual_tokens`.
            features: features of images, see `visual_tokens`.
            image_index: index of the image of each group of V placeholders, in reading order; an image
                that several rows share is then encoded once. None: each image has one group.
            token_counts: number of placeholders of each group, for an elastic model; None: V. For
                `prumerge`, any value but None selects an adaptive number, see `adaptive_tokens`.
            text: embeddings of the questions, see `visual_tokens`.
            image_tokens: instead of images, their visual tokens in reading order (all tokens, width),
                which `visual_tokens` or `adaptive_tokens` made before.

        Raises:
            UserError: placeholders and images do not match.
        """
        places = input_ids == self.config.image_token_id
        embedded: Tensor = self.get_input_embeddings()(input_ids.masked_fill(places, 0))
        if image_tokens is not None:
            return merge_image_tokens(embedded, places, image_tokens)
        if pixel_values is None and features is None:
            if places.any():
                raise UserError(
                    "input_ids hold image placeholders, but no image is given; give pixel_values or "
                    "features"
                )
            return embedded
        facts = specification(self.config.compressor)
        if token_counts is not None and facts.adaptive:
            own = self.adaptive_tokens(pixel_values, features)
            order = range(len(own)) if image_index is None else image_index.tolist()
            tokens = torch.cat([own[image] for image in order])
        else:
            tokens = self.visual_tokens(pixel_values, features, text, image_index)
        if facts.elastic and self.compressor is not None:
            tokens = reduce_tokens(self.compressor, tokens, token_counts, self.config.visual_tokens)
        return merge_image_tokens(embedded, places, tokens)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        pixel_values: Tensor | None = None,
        features: Tensor | None = None,
        image_index: Tensor | None = None,
        token_counts: Tensor | None = None,
        question_ids: Tensor | None = None,
        question_mask: Tensor | None = None,
        text: Tensor | None = None,
        image_tokens: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Run the model on a batch.

        Args:
            input_ids: (batch, length), V placeholders per image; or give ``inputs_embeds``.
            attention_mask: (batch, length), 0 at padding. It is required for padding on the left;
                padding on the right is hidden by causality, and is faster without a mask.
            position_ids: positions of the tokens. Where they restart, another conversation begins, which
                attention separates from the one before, but only with ``use_cache=False`` (the default
                with labels).
            past_key_values: cache of earlier tokens.
            inputs_embeds: (batch, length, width) instead of ``input_ids``.
            labels: (batch, length), -100 where there is no loss; they are shifted here.
            pixel_values: images, see `visual_tokens`.
            features: precomputed features of images, see `visual_tokens`.
            image_index: see `embed`.
            token_counts: see `embed`.
            question_ids: for a model that reads the question, the token ids of its text (places,
                length), one row for each place of an image, padded on either side.
            question_mask: (places, length), 0 at padding; None: there is no padding.
            text: the result of `question_embeddings`, instead of ``question_ids``.
            image_tokens: see `embed`.
            logits_to_keep: number of last positions with logits; 0: all.
            num_items_in_batch: number of labelled tokens of the global batch, which divides the loss.
            kwargs: further arguments of the language model.

        Returns:
            ``loss`` if labels are given, and ``logits``. In training with labels, ``logits`` is usually
            None, since only those of labelled positions are computed.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise UserError("give input_ids or inputs_embeds")
            if text is None and question_ids is not None:
                text = self.question_embeddings(question_ids, question_mask)
            inputs_embeds = self.embed(
                input_ids, pixel_values, features, image_index, token_counts, text, image_tokens
            )
        kwargs |= {
            "attention_mask": attention_mask,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
        }
        if labels is not None:
            kwargs["use_cache"] = False  # with a cache, packed conversations would attend to each other
        if labels is not None and self.training and plain_head(self.config.text_config):
            hidden = decoder_of(self.language_model)(**kwargs).last_hidden_state
            loss = answer_loss(self.language_model, hidden, labels, num_items_in_batch)
            return CausalLMOutputWithPast(loss=loss)
        output: CausalLMOutputWithPast = self.language_model(
            past_key_values=past_key_values, logits_to_keep=logits_to_keep, **kwargs
        )
        if labels is not None:
            output.loss = full_loss(output["logits"], labels, num_items_in_batch)
        return output

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Pass images in the first step of a generation only; later they are in the cache."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(*args, **kwargs)  # type: ignore[misc]
        if not kwargs.get("is_first_iteration", False):
            for name in IMAGE_ARGUMENTS:
                inputs.pop(name, None)
        return inputs
