"""The vision-language model as one `PreTrainedModel`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from paretoken.errors import UserError
from paretoken.models.compressors.base import Adaptive, Compressor, Layout
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.language import answer_loss, decoder_of, full_loss, plain_head
from paretoken.models.projector import Projector
from paretoken.models.questions import Cache, embed_cached, embed_questions
from paretoken.models.vision import VisionEncoder, encoded_side
from paretoken.registry import COMPRESSOR_CLASSES
from paretoken.tokens import ATTENTION_GUIDED, ELASTIC, TEXT_CONDITIONED

#: Arguments that matter in the first step of a generation only.
IMAGE_ARGUMENTS = (
    "pixel_values", "features", "image_index", "token_counts", "question_ids", "question_mask", "text",
)  # fmt: skip


class ParetokenModel(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """A causal LM that reads V visual tokens per image among its text tokens.

    In ``input_ids`` each image is V consecutive ``config.image_token_id``, which the compressed and
    projected features of that image replace. Images come as ``pixel_values`` or as precomputed
    ``features``; a model with V = 0 takes neither.
    """

    config_class = ParetokenConfig
    config: ParetokenConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ["image", "text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = True  # the Trainer then hands over the size of the global batch
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
        self.language_model = language.from_config(config.text_config)
        #: Embeddings of questions that were met; only while the language model does not learn.
        self.question_cache: Cache | None = None
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Leave new weights as their modules made them (see `new_adapter`)."""

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
        if self.config.compressor not in TEXT_CONDITIONED:
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
            raise UserError(
                f"{self.config.compressor} gives every image {self.config.visual_tokens} tokens; only "
                f"{' and '.join(ATTENTION_GUIDED)} can give each its own number"
            )
        return [projector(tokens) for tokens in compressor.adaptive(found)]

    def question_embeddings(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the embeddings of questions (questions, hidden size), see `paretoken.models.questions`.

        Args:
            ids: (questions, length), padded on either side.
            mask: (questions, length), 0 at padding; None: there is none.
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
    ) -> Tensor:
        """Return input embeddings (batch, length, width) with the visual tokens in their places.

        Args:
            input_ids: (batch, length), V placeholders per image.
            pixel_values: images, see `visual_tokens`.
            features: features of images, see `visual_tokens`.
            image_index: which image stands at each group of V placeholders, in reading order; an
                image that several rows share is then encoded once. None: each image stands once.
            token_counts: for an elastic model, how many placeholders each group has; None: V. For
                `prumerge`, it says that each image has its own number, see `adaptive_tokens`.
            text: embeddings of the questions, see `visual_tokens`.

        Raises:
            UserError: placeholders and images do not match.
        """
        places = input_ids == self.config.image_token_id
        embedded: Tensor = self.get_input_embeddings()(input_ids.masked_fill(places, 0))
        if pixel_values is None and features is None:
            if places.any():
                raise UserError("input_ids hold image placeholders, but no image is given")
            return embedded
        if token_counts is not None and self.config.compressor in ATTENTION_GUIDED:
            own = self.adaptive_tokens(pixel_values, features)
            order = range(len(own)) if image_index is None else image_index.tolist()
            tokens = torch.cat([own[image] for image in order])
        else:
            tokens = self.visual_tokens(pixel_values, features, text, image_index)
        if self.config.compressor in ELASTIC:
            tokens = self._reduced(tokens, token_counts)
        tokens = tokens.to(embedded.dtype)
        flat = tokens.flatten(0, -2)
        if int(places.sum()) != len(flat):
            raise UserError(
                f"input_ids hold {int(places.sum())} image placeholders, the images make "
                f"{len(tokens)} x {len(flat) / max(1, len(tokens)):g} visual tokens"
            )
        return embedded.masked_scatter(places.unsqueeze(-1), flat)

    def _reduced(self, tokens: Tensor, counts: Tensor | None) -> Tensor:
        """Return an elastic model's tokens, V of each image or as many as ``counts`` says.

        Args:
            tokens: (places, most, hidden size).
            counts: (places,), or None.

        Returns:
            (places, V, hidden size), or (all tokens, hidden size) with ``counts``.
        """
        compressor: Compressor = self.compressor  # type: ignore[assignment]
        if counts is None:
            return compressor.reduce(tokens, self.config.visual_tokens)
        if not len(counts):
            return tokens.flatten(0, 1)
        wanted = counts.tolist()
        made: list[Tensor] = [tokens[0]] * len(wanted)
        for count in sorted(set(wanted)):
            own = [place for place, each in enumerate(wanted) if each == count]
            reduced = compressor.reduce(tokens[own], count)
            for place, each in zip(own, reduced, strict=True):
                made[place] = each
        return torch.cat(made)

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
        logits_to_keep: int | Tensor = 0,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Run the model.

        Args:
            input_ids: (batch, length), V placeholders per image; or give ``inputs_embeds``.
            attention_mask: (batch, length), 0 at padding. Needed for padding on the left; with
                padding on the right, causality hides it and no mask is faster.
            position_ids: positions of the tokens. Where they start again, another conversation begins
                and attention keeps it apart, but only without a cache: give ``use_cache=False`` (with
                labels that is so anyway).
            past_key_values: cache of earlier tokens.
            inputs_embeds: (batch, length, width) instead of ``input_ids``.
            labels: (batch, length), -100 where there is no loss; shifted here.
            pixel_values: images, see `visual_tokens`.
            features: precomputed features of images, see `visual_tokens`.
            image_index: see `embed`.
            token_counts: see `embed`.
            question_ids: for a model that reads the question, the ids of its text alone, one row for
                each place of an image (places, length); padded on either side.
            question_mask: (places, length), 0 at padding; None: there is none.
            text: instead of both, what `question_embeddings` returned for them.
            logits_to_keep: how many last positions need logits; 0: all.
            num_items_in_batch: labelled tokens of the global batch, which the loss is divided by.
            kwargs: passed on to the language model.

        Returns:
            ``loss`` if labels are given; ``logits``, but not in training with labels, where only
            the labelled positions get any.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise UserError("give input_ids or inputs_embeds")
            if text is None and question_ids is not None:
                text = self.question_embeddings(question_ids, question_mask)
            inputs_embeds = self.embed(
                input_ids, pixel_values, features, image_index, token_counts, text
            )
        kwargs |= {
            "attention_mask": attention_mask,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
        }
        if labels is not None:
            kwargs["use_cache"] = False  # with a cache, packed conversations would see each other
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
        """Hand images over in the first step of a generation only; then they are in the cache."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(*args, **kwargs)  # type: ignore[misc]
        if not kwargs.get("is_first_iteration", False):
            for name in IMAGE_ARGUMENTS:
                inputs.pop(name, None)
        return inputs


def new_adapter(config: ParetokenConfig) -> tuple[Compressor | None, Projector | None]:
    """Return a new compressor and projector with random weights (None, None without an image).

    New weights follow the authors of the compressor: normal(0, std) and zero biases where they set
    a standard deviation, torch's defaults otherwise.
    """
    if config.visual_tokens == 0:
        return None, None
    kind: type[Compressor] = COMPRESSOR_CLASSES.load(config.compressor)
    position = {layer: i for i, layer in enumerate(config.feature_layers)}
    layout = Layout(
        side=config.grid_side,
        width=config.vision_width,
        layers=tuple(position[layer] for layer in config.layers),
        query=position[config.query_layer],
        heads=config.compressor_heads,
        text=config.text_config.hidden_size,
        attention=_pair([position[layer] for layer in config.attention_layers]),
    )
    compressor = kind(layout, config.visual_tokens)
    projector = Projector(
        compressor.width, config.text_config.hidden_size, config.projector_width, config.whiten
    )
    std = kind.default_std if config.init_std is None else config.init_std
    if std is not None:
        for module in [*compressor.modules(), *projector.modules()]:
            _initialise(module, std)
    return compressor, projector


def _pair(places: list[int]) -> tuple[int, int] | None:
    return (places[0], places[1]) if places else None


def _initialise(module: nn.Module, std: float) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def trainable_prefixes(stage: str) -> tuple[str, ...]:
    """Return the name prefixes of the parameters that a stage trains; the encoder never is."""
    adapter = ("compressor.", "projector.")
    return adapter if stage == "pretrain" else (*adapter, "language_model.")


def freeze_all_but(model: torch.nn.Module, prefixes: tuple[str, ...]) -> None:
    """Let the parameters under ``prefixes`` learn and freeze the others."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(prefixes))
