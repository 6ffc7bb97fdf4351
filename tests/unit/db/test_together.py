"""What comes at the same time shares a round; who comes alone waits for nobody."""

import asyncio
import threading

import pytest

from waypost.db.together import Together

SECONDS = 10


class Rounds:
    """Rounds that are held until `go`; `outcome_of` says what comes of each that was asked."""

    def __init__(self, outcome_of=lambda asked: asked * 10, most=100):
        self.seen = []
        self.outcome_of = outcome_of
        self.go = threading.Event()
        self.together = Together(self.act, most)

    def act(self, asked):
        self.seen.append(list(asked))
        assert self.go.wait(SECONDS)
        return [self.outcome_of(each) for each in asked]

    async def ask(self, numbers, *, after_first=True):
        """The outcomes of `numbers`, all but the first of which come while the first one's round is under way."""
        first, *others = numbers
        tasks = [asyncio.create_task(self.together.do(first))]
        async with asyncio.timeout(SECONDS):
            while after_first and not self.seen:  # noqa: ASYNC110 - the round is in a thread
                await asyncio.sleep(0)
        tasks += [asyncio.create_task(self.together.do(each)) for each in others]
        await asyncio.sleep(0)
        self.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)


def test_who_is_alone_has_a_round_of_its_own():
    rounds = Rounds()

    assert asyncio.run(rounds.ask([1])) == [10]
    assert rounds.seen == [[1]]


def test_all_who_come_during_a_round_share_the_next():
    rounds = Rounds()

    assert asyncio.run(rounds.ask([1, 2, 3, 4])) == [10, 20, 30, 40]
    assert rounds.seen == [[1], [2, 3, 4]]


def test_a_round_has_no_more_than_it_may():
    rounds = Rounds(most=2)

    assert asyncio.run(rounds.ask([1, 2, 3, 4])) == [10, 20, 30, 40]
    assert rounds.seen == [[1], [2, 3], [4]]


def test_an_exception_is_of_the_one_it_came_of():
    refused = ValueError("three")
    rounds = Rounds(lambda asked: refused if asked == 3 else asked)

    assert asyncio.run(rounds.ask([1, 2, 3, 4])) == [1, 2, refused, 4]


def test_what_a_round_raises_is_of_all_in_it_and_of_no_other():
    def fails_on_three(asked):
        if asked == 3:
            raise ValueError("away")
        return asked

    rounds = Rounds(fails_on_three, most=2)
    one, two, three, four, five = asyncio.run(rounds.ask([1, 2, 3, 4, 5]))

    assert (one, four, five) == (1, 4, 5)
    assert [str(each) for each in (two, three)] == ["away", "away"]


def test_who_is_cancelled_keeps_nobody_from_an_answer():
    rounds = Rounds()

    async def ask():
        waiting = asyncio.create_task(rounds.together.do(1))
        other = asyncio.create_task(rounds.together.do(2))
        await asyncio.sleep(0)
        waiting.cancel()
        rounds.go.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await other

    assert asyncio.run(ask()) == 20


def test_a_later_one_begins_anew():
    rounds = Rounds()

    async def ask():
        return await rounds.ask([1]), await rounds.ask([2], after_first=False)

    assert asyncio.run(ask()) == ([10], [20])
    assert rounds.seen == [[1], [2]]
