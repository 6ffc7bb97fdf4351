from waypost.db.states import SendState
from waypost.events.name import EventName


def test_every_state_of_a_send_is_the_name_of_an_event_and_readers_add_two():
    assert [*SendState, EventName.OPEN, EventName.CLICK] == list(EventName)
