"""Teachers that raise, hang, come back, or are wrong."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdhelpers.serving import Cascade, asking
from kdhelpers.serving.asking import MISTAKES, Asking, Unanswered

LONG, SHORT = 60.0, 0.02


class Clock:
    """The time that the breaker sees; waiting for threads goes by the real one."""

    def __init__(self):
        self.now = 1_000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(asking, "time", clock)
    return clock


class Teacher:
    """Does what its plan says, call by call: answers, raises, or hangs until it is released."""

    def __init__(self, *plan):
        self.plan, self.calls, self.release = list(plan), 0, threading.Event()
        self.threads, self.ended = set(), threading.Semaphore(0)

    def __call__(self, rows):
        self.calls += 1
        self.threads.add(threading.current_thread())
        step = self.plan.pop(0) if self.plan else "answer"
        try:
            if step == "hang":
                self.release.wait(LONG)
            elif step != "answer":
                raise step
            return np.tile([[0.0, 9.0]], (len(rows), 1))
        finally:
            self.ended.release()

    @property
    def alive(self):
        return sum(thread.is_alive() for thread in self.threads)

    def let_go(self):
        self.release.set()
        for thread in self.threads:
            thread.join(LONG)


def unsure(rows):
    return np.array([[5.0, 0.0] if row == "sure" else [0.1, 0.0] for row in rows])


def who(cascade, rows=("sure", "unsure")):
    return [by for *_, by in cascade.predict(list(rows))]


ANSWERED, FALLEN = ["student", "teacher"], ["student", "fallback"]


@pytest.mark.parametrize("error", [ConnectionError("no route"), RuntimeError("x"), ValueError("no JSON")])
def test_a_teacher_that_raises_leaves_its_rows_to_the_student(clock, error):
    teacher = Teacher(error)
    cascade = Cascade(unsure, teacher, 0.9, timeout=LONG, retry_after=30)
    rows = ["sure", "unsure", "unsure"]
    assert np.array_equal(cascade(rows), unsure(rows).astype(np.float32))
    assert cascade.counts == (3, 2, 0, 2)
    told = cascade.predict(rows)
    assert [by for *_, by in told] == ["student", "fallback", "fallback"]
    assert [label for label, *_ in told] == ["0"] * 3
    assert told[1].confidence == pytest.approx(1 / (1 + np.exp(-0.1)))
    assert teacher.calls == 1  # left alone after its failure
    clock.now += 30
    assert who(cascade, rows) == ["student", "teacher", "teacher"]
    assert cascade.counts == (9, 6, 2, 4)


def test_a_teacher_that_hangs_is_given_up_and_no_other_call_is_started(clock):
    teacher = Teacher("hang", "hang")
    cascade = Cascade(unsure, teacher, 0.9, timeout=SHORT, retry_after=30)
    for _ in range(5):
        assert who(cascade) == FALLEN
        clock.now += 1_000  # long past retry_after, but the first call still hangs
    assert (teacher.calls, teacher.alive) == (1, 1)
    assert all(thread.daemon for thread in teacher.threads)
    teacher.let_go()
    cascade = Cascade(unsure, teacher, 0.9, timeout=LONG)
    teacher.plan.clear()
    assert who(cascade) == ANSWERED


def test_what_comes_too_late_is_thrown_away_and_the_teacher_asked_again(clock):
    teacher = Teacher("hang")
    asked = Asking(teacher, SHORT, retry_after=5)
    with pytest.raises(Unanswered, match=r"took longer than 0\.02 s"):
        asked(["a"])
    teacher.let_go()
    with pytest.raises(Unanswered, match="failed before and is not asked yet"):
        asked(["b"])
    clock.now += 5
    asked.timeout = LONG
    assert len(asked(["c", "d"])) == 2
    assert len(asked(["e"])) == 1
    assert teacher.calls == 3


def test_only_one_call_tries_whether_it_is_back(clock):
    teacher = Teacher(OSError("down"), "hang")
    asked = Asking(teacher, LONG, retry_after=5)
    with pytest.raises(Unanswered, match="raised OSError: down"):
        asked(["a"])
    clock.now += 5
    tries = []
    trying = threading.Thread(target=lambda: tries.append(asked(["b"])))
    trying.start()
    while teacher.calls < 2:
        pass
    for _ in range(3):
        with pytest.raises(Unanswered, match="is not asked yet"):
            asked(["c"])
    teacher.release.set()
    trying.join(LONG)
    assert len(tries) == 1
    assert len(asked(["d"])) == 1


def test_an_answer_to_an_older_question_does_not_end_the_wait(clock):
    teacher = Teacher("hang", OSError("down"))
    asked, answers = Asking(teacher, LONG, retry_after=5), []
    older = threading.Thread(target=lambda: answers.append(asked(["old"])))
    older.start()
    while teacher.calls < 1:
        pass
    with pytest.raises(Unanswered, match="down"):
        asked(["new"])
    teacher.release.set()
    older.join(LONG)
    assert len(answers) == 1
    with pytest.raises(Unanswered, match="is not asked yet"):
        asked(["newer"])


@settings(deadline=None, max_examples=60)
@given(
    plan=st.lists(st.booleans(), max_size=12),
    steps=st.lists(st.integers(0, 12), min_size=1, max_size=20),
    wait=st.integers(0, 20),
)
def test_who_is_asked_when_is_as_a_slow_count_says(plan, steps, wait):
    """A call is made unless a failure is less than ``wait`` seconds ago."""
    clock, teacher = Clock(), Teacher(*("answer" if fine else OSError() for fine in plan))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "time", clock)
        cascade = Cascade(unsure, teacher, 0.9, timeout=LONG, retry_after=wait)
        left, failures, calls, good = list(plan), [], 0, 0
        for step in steps:
            clock.now += step
            expected = FALLEN
            if all(clock.now - at >= wait for at in failures):
                calls += 1
                fine = left.pop(0) if left else True
                expected = ANSWERED if fine else FALLEN
                failures += [] if fine else [clock.now]
            good += expected is ANSWERED
            assert who(cascade) == expected
        assert teacher.calls == calls
        assert cascade.counts == (2 * len(steps), len(steps), good, len(steps) - good)


@pytest.mark.parametrize("kind", MISTAKES)
def test_what_says_that_code_is_wrong_is_raised(kind):
    cascade = Cascade(unsure, Teacher(kind("wrong")), 0.9, timeout=LONG)
    with pytest.raises(kind, match="wrong"):
        cascade.predict(["unsure"])
    assert who(cascade) == ANSWERED  # and is no outage


def test_answers_that_do_not_fit_are_raised():
    for wrong, sentence in [
        (lambda rows: np.zeros((len(rows), 3)), "The student has 2 classes, the teacher 3"),
        (lambda rows: np.zeros(2), r"The teacher gives \(2,\) for 1 rows"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            Cascade(unsure, wrong, 0.9, timeout=LONG).predict(["unsure"])


def test_without_a_timeout_errors_are_raised_as_ever():
    for error in (ConnectionError("no route"), TypeError("wrong"), KeyboardInterrupt()):
        teacher = Teacher(error)
        cascade = Cascade(unsure, teacher, 0.9)
        with pytest.raises(type(error)):
            cascade.predict(["unsure"])
        assert who(cascade) == ANSWERED
        assert teacher.threads == {threading.current_thread()}


def test_an_interrupt_within_the_teacher_is_no_outage():
    cascade = Cascade(unsure, Teacher(KeyboardInterrupt()), 0.9, timeout=LONG)
    with pytest.raises(KeyboardInterrupt):
        cascade.predict(["unsure"])


def test_who_interrupts_the_wait_leaves_no_second_call(clock, monkeypatch):
    teacher = Teacher("hang")
    asked = Asking(teacher, LONG, retry_after=5)

    def interrupted(thread, timeout):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            asked(["a"])
    clock.now += 100
    with pytest.raises(Unanswered, match="is not asked yet"):
        asked(["b"])
    teacher.let_go()
    assert len(asked(["c"])) == 1


def test_many_threads_lose_no_row():
    cascade = Cascade(unsure, Teacher(), 0.9, timeout=LONG)
    told: list[list[str]] = []
    callers = [
        threading.Thread(target=lambda: told.extend(who(cascade) for _ in range(40))) for _ in range(8)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(LONG)
    assert told == [ANSWERED] * 320
    assert cascade.counts == (640, 320, 320, 0)


def test_no_thread_to_be_had_is_an_outage(monkeypatch, clock):
    def none_left(thread):
        raise RuntimeError("can't start new thread")

    cascade = Cascade(unsure, Teacher(), 0.9, timeout=LONG, retry_after=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        assert who(cascade) == FALLEN
    clock.now += 1
    assert who(cascade) == ANSWERED


def test_the_rows_of_a_call_that_is_given_up_are_its_own():
    seen, release = [], threading.Event()

    def late(rows):
        release.wait(LONG)
        seen.append(rows.copy())
        return rows

    inputs = np.zeros((2, 2))
    cascade = Cascade(lambda rows: rows, late, 0.9, timeout=SHORT)
    assert [by for *_, by in cascade.predict(inputs)] == ["fallback", "fallback"]
    inputs[:] = 7
    release.set()
    while not seen:
        pass
    assert not seen[0].any()


@pytest.mark.parametrize("seconds", [-1, float("nan"), 0, float("inf")])
def test_times_out_of_range(seconds):
    with pytest.raises(ValueError, match=r"timeout is .*: give seconds above 0, or None"):
        Cascade(unsure, unsure, 0.5, timeout=seconds)
    if seconds >= 0:
        assert who(Cascade(unsure, unsure, 0, retry_after=seconds)) == ["student"] * 2
    else:
        with pytest.raises(ValueError, match=r"retry_after is .*: give 0 seconds or more"):
            Cascade(unsure, unsure, 0.5, retry_after=seconds)


HANGING = """
    import sys, threading
    sys.modules["torch"] = None
    from kdhelpers.serving import Cascade
    hang = threading.Event()
    cascade = Cascade(lambda rows: [[0, 0]] * len(rows), lambda rows: hang.wait(), 0.9, timeout=0.01)
    print([by for *_, by in cascade.predict(["a"])], threading.active_count())
"""


@pytest.mark.whole
def test_a_call_that_hangs_keeps_python_from_nothing_and_torch_is_not_needed():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HANGING)], capture_output=True, text=True, timeout=LONG
    )
    assert (done.stdout, done.stderr, done.returncode) == ("['fallback'] 2\n", "", 0)
