"""Comparing short answers like VQA challenges: EvalAI's processing and leave-one-out accuracy.

The rules, including their errors, are those of all copies of the challenge's evaluator
(GT-Vision-Lab/VQA and the EvalAI processor in LLaVA and lmms-eval), because published numbers use them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

PUNCTUATION = tuple(';/[]"{}()=+\\_-><@`,?!')
NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
           "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}  # fmt: skip
#: Size of the caches: millions of answers are processed, but most of them are a few common words.
CACHED = 65536
ARTICLES = frozenset({"a", "an", "the"})
#: A comma between digits has all punctuation marks of a text removed instead of replaced by blanks.
_COMMA_IN_NUMBER = re.compile(r"(?<=\d),+(?=\d)")
#: The intended look-behind is mistyped in all copies, so a full stop after a digit is removed, too.
_FULL_STOP = re.compile(r"\.(?!\d)")
#: All copies pass a flag, of value 32, to `re.sub` as its count.
_FULL_STOPS = int(re.UNICODE)

_CONTRACTED = """
'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've
hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't
mightn't've must've mustn't needn't not've o'clock oughtn't shan't she'd've should've shouldn't
shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's
something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've
they'll they're they've wasn't we'd've we've weren't what'll what're what's what've when's where'd
where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't
wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're you've
""".split()  # noqa: SIM905


def _without_one_apostrophe() -> dict[str, str]:
    found = {
        word[:place] + word[place + 1 :]: word
        for word in _CONTRACTED
        for place, character in enumerate(word)
        if character == "'"
    }
    return found | {"somebody'd": "somebodyd"}  # an error in all copies, which reverses key and value


CONTRACTIONS = _without_one_apostrophe()


@lru_cache(CACHED)
def evalai_answer(answer: str) -> str:
    """Return the output of EvalAI's processor for an answer, the form in which answers are compared."""
    answer = answer.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return challenge_answer(single_line(answer))


@lru_cache(CACHED)
def challenge_answer(answer: str) -> str:
    """Return the output of the challenge's evaluator for an answer, a part of `evalai_answer`."""
    return without_articles(without_punctuation(answer))


def single_line(answer: str) -> str:
    """Return an answer with blanks for line ends and tabs, and without surrounding blanks."""
    return answer.replace("\n", " ").replace("\t", " ").strip()


def without_punctuation(answer: str) -> str:
    """Return an answer without punctuation.

    A mark is removed if it adjoins a blank anywhere in the answer, and replaced by a blank otherwise.
    """
    vanish = _COMMA_IN_NUMBER.search(answer) is not None
    result = answer
    for mark in PUNCTUATION:
        touches = f"{mark} " in answer or f" {mark}" in answer
        result = result.replace(mark, "" if touches or vanish else " ")
    return _FULL_STOP.sub("", result, count=_FULL_STOPS)


def without_articles(answer: str) -> str:
    """Return an answer in lower case with number words as digits, no articles, apostrophes restored."""
    words = [NUMBERS.get(word, word) for word in answer.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def leave_one_out(prediction: str, answers: Sequence[str]) -> float:
    """Return the VQA accuracy of an answer, 0 to 1.

    Each person's answer is left out once, by position; the prediction then scores 1/3 for each of the
    others that equals it, at most 1. The accuracy is the mean. ``answers`` must not be empty.
    """
    equal = [answer == prediction for answer in answers]
    total = sum(equal)
    return sum(min(1.0, (total - one) / 3) for one in equal) / len(answers)
