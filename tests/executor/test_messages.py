import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.messages import (
    MAX_MESSAGE,
    FrameReader,
    Message,
    ProtocolError,
    decode_message,
    decode_request,
    encode_message,
    encode_request,
)
from planner.errors import DataError, ExecutionError, ServerError, SpecError, StratumError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
kinds = st.sampled_from(["ready", "progress", "done"])


def unframe(data: bytes) -> bytes:
    (frame,) = FrameReader(MAX_MESSAGE).feed(data)
    return frame


@given(kinds, json_values)
def test_messages_survive_the_journey(kind: str, value: object) -> None:
    message = Message(kind, value)  # type: ignore[arg-type]
    assert decode_message(unframe(encode_message(message))) == message


@pytest.mark.parametrize("kind", [SpecError, DataError, ExecutionError, ServerError])
def test_errors_keep_their_type(kind: type[StratumError]) -> None:
    error = kind("a_code", "A message.", path="a.path", hint="A hint.")
    received = decode_message(unframe(encode_message(Message("failed", error=error))))
    assert received.kind == "failed"
    assert type(received.error) is kind
    assert received.error.to_dict() == error.to_dict()


def test_an_error_of_a_narrower_type_becomes_the_nearest_known_one() -> None:
    class Overflow(DataError):
        pass

    error = Overflow("overflow", "Too large.")
    received = decode_message(unframe(encode_message(Message("failed", error=error))))
    assert type(received.error) is DataError


def test_infinities_and_nan_survive() -> None:
    received = decode_message(unframe(encode_message(Message("done", [math.inf, math.nan]))))
    assert received.value[0] == math.inf
    assert math.isnan(received.value[1])


def test_requests_survive_the_journey() -> None:
    frame = unframe(encode_request("fit", {"task": (1, {2}), "text": "\ud800"}))
    assert decode_request(frame) == ("fit", {"task": (1, {2}), "text": "\ud800"})


def test_a_result_that_is_too_large_says_so() -> None:
    with pytest.raises(ExecutionError) as caught:
        encode_message(Message("done", "x" * MAX_MESSAGE))
    assert caught.value.code == "result_too_large"


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(1, 20), min_size=1))
def test_frames_do_not_depend_on_how_the_stream_is_cut(
    payloads: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(len(payload).to_bytes(8, "big") + payload for payload in payloads)
    reader = FrameReader(50)
    found: list[bytes] = []
    start = turn = 0
    while start < len(stream):
        end = start + cuts[turn % len(cuts)]
        found += reader.feed(stream[start:end])
        start, turn = end, turn + 1
    assert found == payloads


def test_a_frame_above_the_limit_is_refused_when_it_is_announced() -> None:
    reader = FrameReader(50)
    assert reader.feed((50).to_bytes(8, "big") + bytes(50)) == [bytes(50)]
    with pytest.raises(ProtocolError):
        reader.feed((51).to_bytes(8, "big"))


@given(st.binary())
def test_bytes_are_a_message_or_a_protocol_error(payload: bytes) -> None:
    try:
        decode_message(payload)
    except ProtocolError:
        return
    assert json.loads(payload)["kind"] in ("ready", "progress", "done", "failed")


@given(st.dictionaries(st.sampled_from(["kind", "value", "error"]), json_values | kinds))
def test_any_json_is_a_message_or_a_protocol_error(body: dict[str, object]) -> None:
    try:
        message = decode_message(json.dumps(body).encode())
    except ProtocolError:
        return
    assert message.kind == body["kind"]
    assert (message.error is not None) == (message.kind == "failed")


@pytest.mark.parametrize(
    "error",
    [None, [], {}, {"code": "x"}, {"type": "SpecError", "code": 1, "message": "", "path": ""}],
)
def test_a_failure_needs_a_whole_error(error: object) -> None:
    with pytest.raises(ProtocolError):
        decode_message(json.dumps({"kind": "failed", "error": error}).encode())
