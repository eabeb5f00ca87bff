"""The breaker of an observer: laws that hold for every order of questions, answers, failures and waits."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from omnidetective.observers.breaker import Breaker

MOST = 3
REST_S = 10.0


class Questions(RuleBasedStateMachine):
    """Questions of any number under way at once; what is remembered here is only what has been seen from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(most_failures=MOST, rest_s=REST_S, clock=lambda: self.now)
        self.under_way: list[bool] = []
        self.in_a_row = 0
        self.opened_at: float | None = None
        self.said: list[str] = []

    @rule(seconds=st.sampled_from([0.5, 4.0, REST_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.wait_s is None)
    @rule()
    def put(self) -> None:
        trial = self.breaker.begin()
        assert trial == (self.opened_at is not None)
        assert not (trial and any(self.under_way)), "two questions are on trial"
        self.under_way.append(trial)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.end(data, "worked")
        self.in_a_row = 0
        self.opened_at = None

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        before = self.breaker.failures
        assert self.end(data, "neither")[1] == ""
        assert self.breaker.failures == before

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        trial, change = self.end(data, "failed")
        if self.opened_at is not None:
            assert change == ""
            if trial:
                self.opened_at = self.now
            return
        self.in_a_row += 1
        assert (change == "opened") == (self.in_a_row == MOST)
        if change:
            self.opened_at = self.now

    def end(self, data: st.DataObject, how: str) -> tuple[bool, str]:
        trial = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        change = self.breaker.end(how, trial=trial)  # type: ignore[arg-type]
        self.said += [change] if change else []
        return trial, change

    @invariant()
    def it_rests_exactly_while_it_should(self) -> None:
        wait_s = self.breaker.wait_s
        if self.opened_at is None:
            assert wait_s is None
        elif any(self.under_way):
            assert wait_s == 0
        elif self.now < self.opened_at + REST_S:
            assert wait_s == self.opened_at + REST_S - self.now
        else:
            assert wait_s is None

    @invariant()
    def openings_and_closings_take_turns(self) -> None:
        assert self.said == ["opened", "closed"] * (len(self.said) // 2) + ["opened"] * (len(self.said) % 2)


Questions.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBreaker = Questions.TestCase


def test_zero_never_opens() -> None:
    breaker = Breaker(most_failures=0, rest_s=REST_S, clock=lambda: 0.0)
    for _ in range(100):
        assert breaker.wait_s is None
        breaker.end("failed", trial=breaker.begin())
