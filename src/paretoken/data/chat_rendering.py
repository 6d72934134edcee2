"""Rendering untrusted chat templates with limits on time, memory and length.

Jinja's sandbox keeps a template from running other code, but not from looping for hours or from doubling
a text forty times. Therefore a separate process (`chat_sandbox`) renders, whose memory is limited and
which is killed when it takes too long. It starts with the first template and is kept: one rendering then
takes less than a millisecond. All renderings of a template share a budget that grows with their
messages.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from paretoken.errors import UserError

#: Most characters of a template, and of its output in addition to its messages; templates of chat models
#: have some ten thousand.
LONGEST_TEMPLATE, LONGEST_TEXT = 1_000_000, 2_000_000
#: Limits of the process that renders: bytes of address space, and seconds for one rendering.
MEMORY, SECONDS = 2**30, 30.0
#: CPU time of all renderings of one template: a constant, and for each message, of which usual templates
#: render fifty in a millisecond.
FIRST_SECONDS, SECONDS_PER_MESSAGE = 30.0, 0.002
#: Environment variables that the process may need to start.
KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME")


def render(
    template: str,
    messages: Sequence[Mapping[str, str]],
    variables: Mapping[str, Any],
    name: str = "the chat template",
    seconds: float = SECONDS,
) -> str:
    """Return a conversation rendered with a chat template, as `apply_chat_template` renders it.

    Args:
        template: Jinja text.
        messages: messages with ``role`` and ``content``.
        variables: other variables of the template: the tokenizer's ``special_tokens_map``,
            ``add_generation_prompt``.
        name: what to call the template in errors.
        seconds: the most seconds that it may take.

    Raises:
        UserError: the template is damaged, rejects the conversation, takes too long (now, or all its
            renderings together), needs too much memory or writes too much.
    """
    if len(template) > LONGEST_TEMPLATE:
        raise UserError(f"{name} has more than {LONGEST_TEMPLATE:,} characters; give a usual one")
    given = sum(len(text) for message in messages for text in message.values())
    plain = {"tools": None, "documents": None, **variables, "messages": list(messages)}
    request = {"template": template, "variables": plain, "longest": LONGEST_TEXT + 4 * given}
    process = _process()
    answer = process.ask(json.dumps(request, default=str), seconds)
    budget = process.budgets.setdefault(template, _Budget())
    budget.add(answer.get("seconds", 0.0), len(messages))
    if budget.is_spent:
        raise UserError(
            f"{name} takes too long: {budget.renderings:,} renderings took {budget.seconds:,.0f} "
            "seconds, and usual ones milliseconds; use another template"
        )
    if "error" in answer:
        raise UserError(f"{name} cannot render a conversation: {answer['error']}")
    return str(answer["text"])


class _Budget:
    """The CPU time of all renderings of one template, and the number of their messages."""

    def __init__(self) -> None:
        self.seconds, self.renderings, self.messages = 0.0, 0, 0

    def add(self, seconds: float, messages: int) -> None:
        """Count one rendering."""
        self.seconds, self.renderings = self.seconds + seconds, self.renderings + 1
        self.messages += messages

    @property
    def is_spent(self) -> bool:
        """Whether all renderings together took too long."""
        return self.seconds > FIRST_SECONDS + SECONDS_PER_MESSAGE * self.messages


class _Process:
    """A running `chat_sandbox`, which is started again if it has ended.

    Attributes:
        budgets: the time of the renderings of each template.
    """

    def __init__(self) -> None:
        self.budgets: dict[str, _Budget] = {}
        self._running: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, request: str, seconds: float) -> dict[str, Any]:
        """Return the answer to one request; an ``error`` if none comes in time."""
        with self._lock:
            running = self._started()
            try:
                line = self._exchange(running, request.encode() + b"\n", time.monotonic() + seconds)
                answer: dict[str, Any] = json.loads(line)
            except TimeoutError:
                answer = {"error": f"it takes more than {seconds:g} seconds"}
                self.stop()
            except (OSError, ValueError):
                answer = {"error": "the process that renders it ended"}
                self.stop()
            return answer

    def stop(self) -> None:
        """End the process, if it runs."""
        if self._running is not None:
            self._running.kill()
            self._running.communicate()
            self._running = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._running is None or self._running.poll() is not None:
            self._running = subprocess.Popen(
                [sys.executable, "-P", "-m", "paretoken.data.chat_sandbox", str(MEMORY)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(sys.path)}  # without secrets of the environment
                | {name: os.environ[name] for name in KEPT if name in os.environ},
            )
        return self._running

    @staticmethod
    def _exchange(running: subprocess.Popen[bytes], request: bytes, until: float) -> bytes:
        """Write a line and read one (`TimeoutError`, or `OSError` if the process has ended)."""
        if running.stdin is None or running.stdout is None:
            raise BrokenPipeError
        running.stdin.write(request)  # it is read at once: there are no other requests
        running.stdin.flush()
        answer, waiting = bytearray(), select.poll()
        waiting.register(running.stdout, select.POLLIN)
        while not answer.endswith(b"\n"):
            if not waiting.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TimeoutError
            part = os.read(running.stdout.fileno(), 1 << 16)
            if not part:
                raise BrokenPipeError
            answer += part
        return bytes(answer)


_PROCESSES: dict[int, _Process] = {}


def _process() -> _Process:
    """Return this process's sandbox: after a fork, two processes would read each other's answers."""
    return _PROCESSES.setdefault(os.getpid(), _Process())


@atexit.register
def _stop() -> None:
    if os.getpid() in _PROCESSES:
        _PROCESSES[os.getpid()].stop()
