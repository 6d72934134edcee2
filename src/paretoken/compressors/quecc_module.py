"""QueCC: queries that depend on the question, made by a depthwise convolution over each region.

Source: Li et al., arXiv 2411.03312, section 4 and Fig. 5, and the class of that name in the authors'
code: the question's embedding is mapped, normalised and added to every patch; two layers and a norm
make a query of each patch; a depthwise convolution with kernel = stride = s makes one query of each
region. Keys, values and the attention within a region are TokenPacker's, without a residual; weights
have PyTorch's default initialisation. The embedding of the question is the language model's last
hidden state at the question's last token (see `paretoken.models.question_states`).

Tokens: (side / s)^2 for every s that divides the grid's side; 1, 4, 9, 16, 36, 64, 144, 576 of 24 x 24.
"""

from __future__ import annotations

from torch import Tensor, nn

from paretoken.compressors.base import Layout
from paretoken.compressors.region_attention_module import EPSILON, RegionAttention, two_layers
from paretoken.errors import UserError


class QueCC(RegionAttention):
    """Region attention whose queries depend on the question."""

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.text_map = nn.Linear(layout.text, self.width)
        self.text_norm = nn.LayerNorm(self.width, eps=EPSILON)
        self.query_map = two_layers(self.width, self.width)
        self.pool = nn.Conv2d(self.width, self.width, self.region, self.region, groups=self.width)

    def forward(self, features: Tensor, text: Tensor | None = None) -> Tensor:
        """Return the visual tokens (images, V, width).

        Args:
            features: (images, layers, patches, width).
            text: embeddings of the questions (images, hidden size of the language model).

        Raises:
            UserError: there is no question.
        """
        if text is None:
            raise UserError(
                "quecc needs the question about each image, but got none; give question_ids, or text"
            )
        return self.attend(self.queries(features[:, self.layout.query], text), features)

    def queries(self, patches: Tensor, text: Tensor) -> Tensor:
        """Return one query per region (images, V, width) from patches (images, patches, width)."""
        side = self.layout.side
        conditioned = patches + self.text_norm(self.text_map(text.to(patches.dtype))).unsqueeze(1)
        each = self.query_norm(self.query_map(conditioned))
        pooled: Tensor = self.pool(each.transpose(1, 2).reshape(len(each), self.width, side, side))
        return pooled.flatten(2).transpose(1, 2)
