"""Properties that are computed once, without a lock."""

from __future__ import annotations

import pickle
import threading

from fastaif.utils.caching import cached_property


class Squared:
    def __init__(self, x):
        self.x, self.calls = x, 0

    @cached_property
    def square(self):
        """x²."""
        self.calls += 1
        return self.x**2


def test_computed_once_and_kept_in_the_instance():
    made = Squared(3)
    assert (made.square, made.square, made.calls) == (9, 9, 1)
    assert made.__dict__["square"] == 9
    assert pickle.loads(pickle.dumps(made)).calls == 1
    assert Squared.square.__doc__ == "x²."


def test_one_instance_does_not_wait_for_another():
    meeting = threading.Barrier(2)

    class Meeting:
        @cached_property
        def place(self):
            meeting.wait(timeout=30)
            return id(self)

    both = [Meeting(), Meeting()]
    threads = [threading.Thread(target=lambda one=one: one.place) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.__dict__["place"] for one in both] == [id(one) for one in both]


def test_a_property_of_the_base_may_be_called():
    class Negated(Squared):
        @cached_property
        def square(self):
            return -super().square

    made = Negated(3)
    assert (made.square, made.square, made.calls) == (-9, -9, 1)
