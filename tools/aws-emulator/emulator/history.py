"""Answers given in the past, so that a `stale` fault can show the world as it was some seconds ago.

An answer is kept with the version of the world that it shows. For a question asked at time T with an age of
N seconds, the version that held at T-N is looked up, and the newest answer that is no younger than it is given.
A question that was never asked before has no past answer: it gets the true one.
"""

import time
from collections import OrderedDict, deque
from typing import Any

KEPT_SECONDS = 300
KEPT_ANSWERS = 32          # of one question
KEPT_BYTES = 64_000_000    # of all of them; the question that was asked least recently goes first

Question = tuple[str, str, str, str, bytes]


class History:
    def __init__(self) -> None:
        self._answers: OrderedDict[Question, deque[tuple[int, Any]]] = OrderedDict()
        self._bytes = 0
        self._versions: deque[tuple[float, int]] = deque([(0.0, 0)])

    def note(self, version: int) -> None:
        """The world is at this version now."""
        if self._versions[-1][1] != version:
            now = time.monotonic()
            self._versions.append((now, version))
            while len(self._versions) > 2 and self._versions[1][0] < now - KEPT_SECONDS:
                self._versions.popleft()

    def keep(self, question: Question, version: int, answer: Any) -> None:
        answers = self._answers.setdefault(question, deque())
        self._answers.move_to_end(question)
        if answers and answers[-1][0] == version:
            return
        answers.append((version, answer))
        self._bytes += len(answer.body)
        if len(answers) > KEPT_ANSWERS:
            self._bytes -= len(answers.popleft()[1].body)
        while self._bytes > KEPT_BYTES and len(self._answers) > 1:
            _, dropped = self._answers.popitem(last=False)
            self._bytes -= sum(len(each.body) for _, each in dropped)

    def past(self, question: Question, seconds: float) -> Any | None:
        moment = time.monotonic() - seconds
        then = next((version for at, version in reversed(self._versions) if at <= moment), 0)
        answers = self._answers.get(question, ())
        no_younger = [answer for version, answer in answers if version <= then]
        if no_younger:
            return no_younger[-1]
        return answers[0][1] if answers else None

    def clear(self) -> None:
        self._answers.clear()
        self._bytes = 0
