"""Compressors forward and backward in bf16, against fp32, for `gpu_acceptance`.

Batches have as many visual tokens as a micro batch of the paper's study can have (36,864 in full size),
since kernels of attention have limits that small batches do not reach. No batch has more images than
a step of the study, 256. A compressor is run as in a model: its tokens pass the projector and are merged
into the input of a language model (of one layer). Two settings occur in use: weights in fp32 under
autocast (training), and weights in bf16 (training with DeepSpeed).
"""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from gpu_checks import Check, Result, judged
from paretoken.compressors.reach import reachable_tokens
from paretoken.compressors.specification import specification
from paretoken.models.vision import encoded_side
from paretoken.models.vlm import ParetokenModel
from paretoken.registry import COMPRESSORS
from random_models import Scale, build, configuration, here

AUTOCAST, WEIGHTS = "autocast", "bf16 weights"
#: Most images of a batch.
IMAGES = 256
#: Images at the end of a batch that are compared with fp32: there an index that overflows is wrong.
COMPARED = 2
#: Largest differences, as shares of the norm in fp32. The unit of rounding of bf16 is 0.4 %.
OUTPUT, GRADIENT = 0.03, 0.06
RULE = (
    f"outputs and gradients finite; difference of the last {COMPARED} images from fp32 at most "
    f"{OUTPUT:.0%} of the outputs' norm and {GRADIENT:.0%} of the gradients'"
)


def checks(scale: Scale) -> list[Check]:
    """Return a check per compressor, V and setting, those of the most tokens per image first."""
    side = scale.clip["image_size"] // scale.clip["patch_size"]
    found = []
    for name in COMPRESSORS:
        reach = reachable_tokens(name, side)
        wanted = {side**2, side**2 // 4, reach[-1]} & set(reach)
        for V in sorted(wanted, reverse=True):
            images = min(IMAGES, max(COMPARED, scale.compressed // V))
            for setting in (AUTOCAST, WEIGHTS):
                title = f"{name}, V = {V} x {images}, {setting}"
                found.append(Check(title, partial(compress, scale, name, V, images, setting)))
    return found


def compress(scale: Scale, name: str, V: int, images: int, setting: str) -> Result:
    """Return the result of a forward and backward pass through a compressor and the projector."""
    torch.backends.cudnn.allow_tf32 = False  # fp32 is what bf16 is compared with
    torch.manual_seed(0)
    small = replace(scale, vocabulary=512)
    config = configuration(small, scale.small._replace(layers=1), V, name)
    config.vision_config = None  # features are random
    model = build(config, here(), torch.bfloat16 if setting == WEIGHTS else torch.float32)
    features = random_features(model, images)
    text = None
    if specification(name).reads_text:
        text = torch.randn(images, config.text_config.hidden_size, device=here()).bfloat16()
    direction = torch.randn(images, V, config.text_config.hidden_size, device=here())
    _pass(model, features, text, direction, setting)  # warms up
    model.zero_grad(set_to_none=True)
    _wait()
    started = time.perf_counter()
    output, gradient = _pass(model, features, text, direction, setting)
    _wait()
    seconds = time.perf_counter() - started
    learned = [p.grad for p in model.parameters() if p.grad is not None]
    finite = all(bool(value.isfinite().all()) for value in (output, gradient, *learned))
    peak = {"peak_gib": torch.cuda.max_memory_allocated() / 2**30} if here().type == "cuda" else {}
    last = slice(-COMPARED, None)
    exact = nn.Module.float(copy.deepcopy(model))
    exact_output, exact_gradient = _pass(
        exact, features[last].float(), None if text is None else text[last].float(), direction[last], ""
    )
    errors = difference(output[last], exact_output), difference(gradient[last], exact_gradient)
    return judged(
        finite and errors[0] <= OUTPUT and errors[1] <= GRADIENT, RULE,
        finite=finite, output_error=errors[0], gradient_error=errors[1],
        tokens=images * V, tokens_per_s=images * V / seconds, **peak,
    )  # fmt: skip


def random_features(model: ParetokenModel, images: int) -> Tensor:
    """Return features (images, layers, patches, width) in bf16; attention sums to 1 over the patches."""
    config = model.config
    side = encoded_side(config.compressor, config.visual_tokens) or config.grid_side
    layers = len(config.feature_layers)
    made = torch.randn(images, layers, side**2, config.vision_width, device=here(), dtype=torch.bfloat16)
    if config.attention_layers:
        scores = torch.randn(images, side**2, 1, device=here()).mul(2).softmax(1)
        made[:, config.feature_layers.index(config.attention_layers[1])] = scores.bfloat16()
    return made


def _pass(
    model: ParetokenModel, features: Tensor, text: Tensor | None, direction: Tensor, setting: str
) -> tuple[Tensor, Tensor]:
    """Return the visual tokens of images, and the gradient of their product with ``direction``."""
    leaf = features.detach().requires_grad_()
    V = model.config.visual_tokens
    ids = torch.full((len(leaf), V), model.config.image_token_id, device=leaf.device)
    with torch.autocast(leaf.device.type, torch.bfloat16, enabled=setting == AUTOCAST):
        output = model.embed(ids, features=leaf, text=text)
    (output.float() * direction).sum().backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return output.detach(), leaf.grad


def difference(found: Tensor, exact: Tensor) -> float:
    """Return the norm of a difference as a share of the exact norm."""
    return float((found.float() - exact.float()).norm() / exact.float().norm())


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
