"""Named chat templates, for tokenizers without one and for studies that must not depend on theirs.

Each is written from the public description of its format; the names are those of the conversations
in the code of LLaVA-1.5 and LLaVA-NeXT. A template inserts each message unchanged.
"""

from __future__ import annotations

#: ChatML with the default system prompt: Qwen1.5 as LLaVA-NeXT trains it (its ``qwen_1_5``).
CHATML = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

#: Vicuna 1.5 as LLaVA-1.5 trains it (its ``v1``): an answer ends with the tokenizer's end token, and
#: the next question follows without a space.
VICUNA_V1 = (
    "{{ bos_token or '' }}"
    "{% if messages[0]['role'] != 'system' %}"
    "{{ 'A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user" + "\\'" + "s questions. ' }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + ' ' }}"
    "{% elif message['role'] == 'user' %}{{ 'USER: ' + message['content'] + ' ' }}"
    "{% else %}{{ 'ASSISTANT: ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
