"""Chat templates render as `transformers` renders them, and never for long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paretoken.data import chat_rendering, templates
from paretoken.data.chat_rendering import LONGEST_TEXT, render
from paretoken.errors import UserError

MESSAGES = [
    {"role": "user", "content": "<image>\nWhat is <b>this</b>? 'x' & \"y\""},
    {"role": "assistant", "content": "\U000f00007\U000f0001 ein Übel"},
    {"role": "user", "content": ""},
]
VARIABLES: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True}


@pytest.fixture(scope="module", autouse=True)
def _stopped() -> Iterator[None]:
    yield
    chat_rendering._stop()


USUAL = [
    templates.CHATML,
    templates.VICUNA_V1,
    "{{ messages | tojson }} {{ messages[0] | tojson(indent=2) }} {{ tools }} {{ documents is none }}",
    "{% for m in messages %}\n  {% if loop.last %}{% break %}{% endif %}\n{{ m.content | trim }}\n"
    "{% endfor %}",
    "{% set ns = namespace(n=0, self=1) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}"
    "{{ ns.n }}",
    "{% macro say(m) %}{{ m['role'] ~ ': ' ~ m['content'] }}{% endmacro %}{{ say(messages[1]) }}",
    "{{ bos_token }}{% for m in messages if m.role != 'system' %}{% generation %}{{ m.content }}"
    "{% endgeneration %}{% endfor %}{{ dict(a=1).a }}{{ dict.fromkeys(['b']) }}{{ range(3) | list }}",
    "   {%- if add_generation_prompt is defined and add_generation_prompt %}\n    yes\n   {%- endif %}",
    "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|') }}",
]


@pytest.mark.parametrize("template", USUAL)
def test_it_renders_what_transformers_renders(template: str) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    theirs = render_jinja_template([MESSAGES], chat_template=template, **VARIABLES)[0][0]
    assert render(template, MESSAGES, VARIABLES) == theirs


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", "Expected an expression"),
        ("{{ raise_exception('no images') }}", "cannot render a conversation: no images"),
        ("{% include 'x' %}", "cannot render"),
        ("{% import '/etc/passwd' as x %}", "cannot render"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 'a' + 1 }}", "can only concatenate"),
        ("{{ messages[0].nothing.more }}", "has no attribute 'nothing'"),
        ("{{ 2.0 ** 5000 }}", "cannot render"),
        ("{{ (9 ** 9999) | string }}", "digits|cannot render"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}", "cannot render"),
        ("{{ messages.append(1) }}", "not.*safe|cannot render"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "cannot render"),
        ("{{ cycler.__init__.__globals__.os.system('true') }}", "cannot render"),
        ("{% set ns = namespace(__class__=1) %}", "has no field"),
        ("{{ range(1000000) | list }}", "Range too big"),
        ("{{ 'x' * 3000000000 }}", "too much memory"),
        ("{{ '%2000000000d' % 1 }}", "too much memory"),
        ("{{ 'x'.ljust(2000000000) }}", "too much memory"),
        ("{{ lipsum(n=100000) }}", "writes more|more than 3 seconds"),
        ("{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}"
         "{% endfor %}", "too much memory|more than 3 seconds"),
        ("{% set ns = namespace(x=[0]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}"
         "{% endfor %}", "too much memory|more than 3 seconds"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "3 seconds"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}word {% endfor %}{% endfor %}",
         f"writes more than {LONGEST_TEXT // 1000000},"),
        ("{% set x = 9 ** (9 ** 9) %}", "too much memory|more than 3 seconds"),
        ("{{ 'xxxxxxxx' | replace('', 'y' * 99999) | replace('', 'y' * 99999) }}", "too much|more than"),
        ("x" * 1_000_001, "more than 1,000,000 characters"),
    ],
)  # fmt: skip
def test_whatever_a_template_does_is_an_error_in_time(template: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^my template .*({message})"):
        render(template, MESSAGES, VARIABLES, "my template", seconds=3)
    assert render("{{ messages[2].content }}ok", MESSAGES, VARIABLES) == "ok"  # the next one works


def test_all_renderings_together_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that takes a second each time is refused before the hundredth row."""
    monkeypatch.setattr(chat_rendering, "FIRST_SECONDS", 1.0)
    slow = "{% for i in range(3000) %}{% for j in range(300) %}{% endfor %}{% endfor %}x"
    assert render(slow, MESSAGES, VARIABLES, "my template") == "x"  # one alone may take its time

    def all_rows() -> None:
        for _ in range(100_000):
            render(slow, MESSAGES, VARIABLES, "my template")

    with pytest.raises(UserError, match=r"^my template takes too long: \d+ renderings took \d seconds"):
        all_rows()
    assert render("{{ messages[2].content }}ok", MESSAGES, VARIABLES) == "ok"


def test_usual_templates_stay_far_below_their_budget() -> None:
    many = [{"role": "user" if n % 2 else "assistant", "content": f"word {n}"} for n in range(50)]
    chat_rendering._stop()
    process = chat_rendering._process()
    process.budgets.clear()
    for number in range(200):
        render(templates.CHATML, many[: 1 + number % 50], VARIABLES)
    budget = process.budgets[templates.CHATML]
    assert budget.renderings == 200
    assert budget.messages == 4 * sum(range(1, 51))
    assert 0 < budget.seconds < chat_rendering.SECONDS_PER_MESSAGE * budget.messages


def test_the_process_receives_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    chat_rendering._stop()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    render("x", MESSAGES, {})
    running = chat_rendering._process()._running
    assert running is not None
    assert b"hf_secret" not in Path(f"/proc/{running.pid}/environ").read_bytes()


def test_after_a_fork_each_process_has_a_renderer_of_its_own() -> None:
    assert render("here", MESSAGES, {}) == "here"
    here = chat_rendering._process()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        own = chat_rendering._process() is not here and render("there", MESSAGES, {}) == "there"
        chat_rendering._stop()
        os.write(write, b"1" if own else b"0")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1) == b"1"
    assert render("here", MESSAGES, {}) == "here"
    os.close(read)
    os.close(write)
