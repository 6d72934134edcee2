"""PruMerge and PruMerge+: keep the patches that the class token attends to, merge others into them.

Source: Shang et al., "LLaVA-PruMerge", and its authors' code (GitHub: 42Shawn/LLaVA-PruMerge, commit
5632f5a of May 2024, ``llava/model/multimodal_encoder/clip_encoder.py``), the functions
``token_prune_merge_advanced`` ("version 10/03/2024") and, for PruMerge+,
``token_prune_merge_advanced_plus`` ("version 24/03/2024"). Scores are one full-width attention of the
class token in the encoder's last layer. The 32 patches whose keys are most similar to that of a kept
patch are merged into it, weighted by their scores (added, not averaged). One more token is the weighted
sum of all dropped patches. PruMerge+ also keeps evenly spaced patches. There are no weights.

There are two forms. With a fixed budget (`forward`), every image has V tokens. PruMerge follows the
path ``if_adaptive=False`` with the ratio (V - 1) / patches: the best V - 1 patches and the sum; for
V = 1, where that path would keep the sum alone, it keeps the best patch alone. PruMerge+ does not follow
that path, which is for training, keeps as many evenly spaced patches as best ones, some of them twice,
and so makes few V. It keeps a quarter by score and three quarters evenly spaced, none twice: the
proportion of the path ``if_adaptive=True``, which evaluates.

With the published variable count (`adaptive`, ``if_adaptive=True``), each image keeps the patches whose
score is an outlier (above the third quartile by 1.5 interquartile ranges). The authors count outliers
over the flattened batch; here they are counted per image, so that an image's tokens do not depend on the
other images.

Tokens: any number from 1 to the number of patches.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from paretoken.compressors.base import Adaptive, Layout
from paretoken.errors import UserError

#: Number of similar patches that are merged into each kept patch.
NEIGHBOURS = 32
#: An outlier is above the third quartile by this number of interquartile ranges.
WHISKER = 1.5


class PruMerge(Adaptive):
    """A compressor that keeps the best patches, merges similar ones into them, and sums up the rest."""

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        if layout.attention is None:
            raise UserError(
                "prumerge needs the encoder's attention, which the features lack; encode them with "
                "`paretoken features --compressors prumerge`"
            )
        self.keys, self.scores = layout.attention
        self.width = layout.joined_width

    def forward(self, features: Tensor) -> Tensor:
        """Return V tokens for every image (images, V, width)."""
        patches, scores = self.joined(features), self.scores_of(features)
        kept = self.kept(scores, max(1, self.tokens - 1))
        likeness = key_likeness(features[:, self.keys])
        return merged(patches, scores, likeness, kept, rest=self.tokens > 1)

    def adaptive(self, features: Tensor) -> list[Tensor]:
        """Return as many tokens as each image needs, one tensor (tokens, width) per image."""
        made = []
        for number in range(len(features)):
            image = features[number : number + 1]
            scores = self.scores_of(image)
            kept = self.kept_adaptively(scores)
            likeness = key_likeness(image[:, self.keys])
            made.append(merged(self.joined(image), scores, likeness, kept, rest=True)[0])
        return made

    def scores_of(self, features: Tensor) -> Tensor:
        """Return the class token's attention to each patch (images, patches)."""
        return features[:, self.scores, :, 0].float()

    def kept(self, scores: Tensor, count: int) -> Tensor:
        """Return ``count`` patches of each image (images, count), the best first."""
        return ranked(scores)[:, :count]

    def kept_adaptively(self, scores: Tensor) -> Tensor:
        """Return the outliers of one image (1, count), the best first; at least one, but not all."""
        return ranked(scores)[:, : outliers(scores)]


class PruMergePlus(PruMerge):
    """PruMerge with evenly spaced patches besides the best."""

    def kept(self, scores: Tensor, count: int) -> Tensor:
        """Return a quarter of ``count`` by score, then evenly spaced patches of the others."""
        order = ranked(scores)
        best = order[:, : math.ceil(count / 4)]
        left = order[:, best.shape[1] :].sort(dim=1).values  # in reading order
        wanted = count - best.shape[1]
        places = (torch.arange(wanted, device=order.device) + 0.5) * left.shape[1] / max(1, wanted)
        return torch.cat([best, left[:, places.long()]], dim=1)

    def kept_adaptively(self, scores: Tensor) -> Tensor:
        """Return the outliers, then every (1 / their share / 3)-th patch that is not among them."""
        best, patches = super().kept_adaptively(scores), scores.shape[1]
        step = max(1, (patches // best.shape[1]) // 3)
        spaced = torch.arange(0, patches - 1, step, device=scores.device)
        return torch.cat([best, spaced[~torch.isin(spaced, best)].unsqueeze(0)], dim=1)


def ranked(scores: Tensor) -> Tensor:
    """Return the patches of each image by descending score, ties in reading order."""
    return scores.argsort(dim=1, descending=True, stable=True)


def outliers(scores: Tensor) -> int:
    """Return the number of scores (1, patches) that are outliers; at least one, but not all."""
    low, high = torch.quantile(scores, torch.tensor([0.25, 0.75], device=scores.device))
    count = int((scores > high + WHISKER * (high - low)).sum())
    return min(max(1, count), scores.shape[1] - 1)


def key_likeness(keys: Tensor) -> Tensor:
    """Return the cosines between keys (images, patches, patches), with -inf on the diagonal."""
    unit = functional.normalize(keys.float(), dim=-1)
    with torch.autocast(keys.device.type, enabled=False):  # in bf16, many cosines would be equal
        likeness = unit @ unit.transpose(1, 2)
    own = torch.eye(keys.shape[1], dtype=torch.bool, device=keys.device)
    return likeness.masked_fill(own, -torch.inf)


def merged(patches: Tensor, scores: Tensor, likeness: Tensor, kept: Tensor, rest: bool) -> Tensor:
    """Return the kept patches with others merged in and, with ``rest``, the sum of the dropped ones.

    Args:
        patches: (images, patches, width).
        scores: (images, patches).
        likeness: (images, patches, patches), see `key_likeness`.
        kept: (images, k) patch numbers, in the order of the tokens.
        rest: whether to append the weighted sum of all dropped patches.
    """
    count = patches.shape[1]
    rows = likeness.gather(1, kept.unsqueeze(-1).expand(-1, -1, count))
    near = rows.topk(min(NEIGHBOURS, count - 1), dim=2).indices
    weight = torch.zeros_like(rows).scatter(2, near, 1.0) * scores.unsqueeze(1)
    centres = torch.zeros_like(weight).scatter(2, kept.unsqueeze(-1), 1.0)
    mixture = weight + centres
    if rest:
        dropped = scores.scatter(1, kept, 0.0).unsqueeze(1)
        mixture = torch.cat([mixture, dropped], dim=1)
    with torch.autocast(patches.device.type, enabled=False):
        return mixture.to(patches.dtype) @ patches
