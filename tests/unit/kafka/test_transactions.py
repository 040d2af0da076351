from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.kafka import transactions
from fink_dagster.kafka.markers import Sent
from fink_dagster.kafka.transactions import Outgoing, TransactionalWriter


class FakeProducer:
    """Producer that fails as told: ``script`` holds the error of each request in turn, or None."""

    def __init__(self, **script: list[KafkaError | None]) -> None:
        self.script = script
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def request(*_: Any, **options: Any) -> int:
            self.calls.append(name)
            errors = self.script.get(name, [])
            error = errors.pop(0) if errors else None
            if error is not None:
                raise KafkaException(error)
            if "on_delivery" in options:
                options["on_delivery"](None, _Delivered())
            return 0

        return request


class _Delivered:
    def partition(self) -> int:
        return 2

    def offset(self) -> int:
        return 7


def _error(code: int, **kind: bool) -> KafkaError:
    return KafkaError(code, "as told", **kind)


REFUSED = KafkaError.NOT_ENOUGH_REPLICAS
MESSAGE = Outgoing("f", "t", 1, b"k", b"v")


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> list[FakeProducer]:
    """Producers that a writer gets, one after the other."""
    prepared: list[FakeProducer] = []
    made = iter(prepared)
    monkeypatch.setattr(transactions, "Producer", lambda config: next(made))
    monkeypatch.setattr(transactions, "ensure_topic", lambda *_: 1)
    monkeypatch.setattr(transactions, "PATIENCE_SECONDS", 0.2)
    return prepared


@pytest.fixture
def writer() -> TransactionalWriter:
    return TransactionalWriter({"bootstrap.servers": "127.0.0.1:1"}, "night", "markers")


def test_a_batch_is_produced_marked_and_committed_in_one_transaction(
    producers: list[FakeProducer], writer: TransactionalWriter
) -> None:
    producers.append(FakeProducer())
    assert writer.send("b", [MESSAGE]) == [Sent("f", 1, "t", 2, 7)]
    made = [call for call in producers[0].calls if call != "poll"]
    once = ["begin_transaction", "produce", "flush", "produce", "flush", "commit_transaction"]
    assert made == ["init_transactions", *once]


def test_markers_in_several_partitions_are_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, producers: list[FakeProducer], writer: TransactionalWriter
) -> None:
    monkeypatch.setattr(transactions, "ensure_topic", lambda *_: 3)
    producers.append(FakeProducer())
    with pytest.raises(OperationError, match="kafka topic markers: must have one partition; got 3"):
        writer.send("b", [MESSAGE])
    assert not producers[0].calls


def test_nothing_to_send_asks_nothing_of_kafka(producers: list[FakeProducer], writer: TransactionalWriter) -> None:
    assert writer.send("b", []) == []


def test_a_refused_batch_is_aborted_and_tried_again(producers: list[FakeProducer], writer: TransactionalWriter) -> None:
    producers.append(FakeProducer(commit_transaction=[_error(REFUSED, txn_requires_abort=True)]))
    assert writer.send("b", [MESSAGE]) == [Sent("f", 1, "t", 2, 7)]
    assert producers[0].calls.count("abort_transaction") == 1
    assert producers[0].calls.count("begin_transaction") == 2


def test_a_batch_refused_every_time_may_be_sent_again_later(
    producers: list[FakeProducer], writer: TransactionalWriter
) -> None:
    producers.append(FakeProducer(produce=[_error(REFUSED)] * 9))
    with pytest.raises(TransientError, match="refused 4 times, at last with as told"):
        writer.send("b", [MESSAGE])


def test_a_commit_without_answer_is_repeated_until_it_has_one(
    producers: list[FakeProducer], writer: TransactionalWriter
) -> None:
    producers.append(FakeProducer(commit_transaction=[_error(KafkaError._TIMED_OUT, retriable=True)]))
    writer.send("b", [MESSAGE])
    assert producers[0].calls.count("commit_transaction") == 2
    assert producers[0].calls.count("begin_transaction") == 1


def test_an_outcome_not_known_ends_the_producer_and_asks_for_a_look_at_the_markers(
    producers: list[FakeProducer], writer: TransactionalWriter
) -> None:
    silent: list[KafkaError | None] = [_error(KafkaError._TIMED_OUT, retriable=True)] * 99
    producers += [FakeProducer(commit_transaction=silent), FakeProducer()]
    with pytest.raises(TransientError, match="compare with the markers in markers"):
        writer.send("b", [MESSAGE])
    assert "abort_transaction" not in producers[0].calls
    writer.send("b", [MESSAGE])
    assert producers[1].calls[0] == "init_transactions"


@pytest.mark.parametrize("code", [KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH])
def test_a_writer_shut_out_says_so_and_does_not_shut_out_the_other(
    producers: list[FakeProducer], writer: TransactionalWriter, code: int
) -> None:
    producers += [FakeProducer(commit_transaction=[_error(code, fatal=True)]), FakeProducer()]
    for _ in range(2):
        with pytest.raises(OperationError, match="one run may write this night; got another"):
            writer.send("b", [MESSAGE])
    assert producers[1].calls == []


def test_a_writer_that_learns_of_it_only_when_it_aborts_is_shut_out_too(
    producers: list[FakeProducer], writer: TransactionalWriter
) -> None:
    fenced = _error(KafkaError._FENCED, fatal=True)
    producers.append(FakeProducer(produce=[_error(KafkaError._PURGE_QUEUE)], abort_transaction=[fenced]))
    with pytest.raises(OperationError, match="got another"):
        writer.send("b", [MESSAGE])


def test_a_transaction_that_outlived_its_time_is_in_doubt_and_not_another_run(
    producers: list[FakeProducer], writer: TransactionalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "TRANSACTION_SECONDS", 0.0)
    producers.append(FakeProducer(commit_transaction=[_error(KafkaError._FENCED, fatal=True)]))
    with pytest.raises(TransientError, match="outcome of a batch must be known"):
        writer.send("b", [MESSAGE])


def test_a_message_that_can_never_be_taken_is_not_tried_again(
    producers: list[FakeProducer], writer: TransactionalWriter
) -> None:
    producers.append(FakeProducer(produce=[_error(KafkaError.MSG_SIZE_TOO_LARGE)]))
    with pytest.raises(OperationError, match="must be one its topic takes"):
        writer.send("b", [MESSAGE])
    assert producers[0].calls.count("begin_transaction") == producers[0].calls.count("abort_transaction") == 1


def test_a_fatal_error_wrapped_by_the_binding_is_understood(
    producers: list[FakeProducer], writer: TransactionalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrapped(*_: Any) -> None:
        raise SystemError from KafkaException(_error(KafkaError._FENCED, fatal=True))

    producers.append(FakeProducer())
    monkeypatch.setattr(transactions, "_produce_all", wrapped)
    with pytest.raises(OperationError, match="got another"):
        writer.send("b", [MESSAGE])


def test_an_interrupted_batch_leaves_no_producer_with_an_open_transaction(
    producers: list[FakeProducer], writer: TransactionalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    producers += [FakeProducer(), FakeProducer()]
    with monkeypatch.context() as during:
        during.setattr(transactions, "_produce_all", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.send("b", [MESSAGE])
    writer.send("b", [MESSAGE])
    assert producers[0].calls[-1] == "purge"
    assert "commit_transaction" in producers[1].calls


def test_a_coordinator_that_loads_is_waited_for(producers: list[FakeProducer], writer: TransactionalWriter) -> None:
    loading = _error(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, retriable=True)
    producers.append(FakeProducer(init_transactions=[loading, None]))
    writer.open()
    assert producers[0].calls == ["init_transactions", "init_transactions"]


def test_a_broker_that_is_not_there_is_named(producers: list[FakeProducer], writer: TransactionalWriter) -> None:
    producers.append(FakeProducer(init_transactions=[_error(KafkaError._TIMED_OUT, retriable=True)] * 99))
    with pytest.raises(TransientError, match=r"a broker must answer at 127\.0\.0\.1:1"):
        writer.open()


def test_messages_of_one_key_spread_over_the_partitions_of_their_topic() -> None:
    # librdkafka asks its partitioner for every message that has a key; any but a random one answers by the key.
    assert transactions._PRODUCER["partitioner"] == "random"
    transactions.Producer({**transactions._PRODUCER, "bootstrap.servers": "127.0.0.1:1", "transactional.id": "x"})
