"""Writing alerts to user topics exactly once: one transaction per batch, with a marker of what it sent inside it.

What a marker is, and how all are read back, is ``markers``; comparing a batch with them, and with what the lake
remembers, is the distribution stage's affair. Reasons: the classic protocol leaves the outcome of a time-out open, so a
producer in doubt is thrown away, and the next one decides the outcome before it reads the markers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from tenacity import Retrying, retry_if_exception, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.kafka.clients import ANSWER_SECONDS, answering
from fink_dagster.kafka.markers import Sent, marks, read_markers
from fink_dagster.kafka.topics import MAX_MESSAGE_BYTES, ensure_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ATTEMPTS = 4
PATIENCE_SECONDS = 60.0
"""How long a request may be repeated: a broker that restarts is back, and its coordinator loaded, well before."""
TRANSACTION_SECONDS = 90.0  # more than PATIENCE_SECONDS, less than the 15 minutes a broker admits by default

_PRODUCER = {
    "transaction.timeout.ms": int(TRANSACTION_SECONDS * 1000),
    "message.timeout.ms": int(PATIENCE_SECONDS * 1000),
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "queue.buffering.max.kbytes": 131_072,
    "compression.type": "lz4",  # every key of a topic is the same 15 kB of schema
    "partitioner": "random",  # by that one key all messages of a topic would go to one of its partitions
}
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}
_HOPELESS = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}
"""Refusals of one message that a second attempt would only repeat. A topic that is gone is none: it is made anew."""


@dataclass(frozen=True)
class Outgoing:
    """An alert on its way to a user topic.

    Parameters
    ----------
    filter : str
        The filter it passed.
    topic : str
        Where it goes.
    candid : int
        Its identifier, 64 bits; never a float.
    key, value : bytes
        The message.
    headers : list of (str, bytes)
        Its headers.
    """

    filter: str
    topic: str
    candid: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class _Aborted(Exception):
    """A transaction that surely left nothing behind and may be tried again."""


class TransactionalWriter:
    """The one writer of a night's user topics.

    Parameters
    ----------
    config : mapping
        The cluster, as ``clients`` gives it.
    transactional_id : str
        Who writes; a second writer of the same id shuts the first one out.
    marker_topic : str
        Topic of one partition with what was sent; made when absent. Reading it costs as much as was ever written to
        it, so it should not outlive what it serves.
    """

    def __init__(self, config: Mapping[str, Any], transactional_id: str, marker_topic: str) -> None:
        self._config = dict(config)
        self._id = transactional_id
        self._marker_topic = marker_topic
        self._producer: Producer | None = None
        self._shut_out = False

    def __enter__(self) -> TransactionalWriter:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Become the one writer: shut out any other and decide whatever an earlier one left undecided.

        Raises
        ------
        TransientError
            When no broker answers, or its coordinator is not ready in time.
        OperationError
            When the broker refuses.
        """
        self._discard()
        self._shut_out = False
        self._producer = self._opened()

    def send(self, batch: str, messages: Iterable[Outgoing]) -> list[Sent]:
        """Send alerts, all or none, and remember them in the marker topic in the same transaction.

        Parameters
        ----------
        batch : str
            Name of the batch, for those who read the marker topic.
        messages : iterable of Outgoing
            Held in memory until they are sent.

        Returns
        -------
        list of Sent
            Where each message is, in the order given.

        Raises
        ------
        TransientError
            When it could not be done, or its outcome is not known: compare with :meth:`markers`, then send what is
            missing. The next call makes a new producer.
        OperationError
            When another run writes under the same id, or a message can never be taken.
        """
        outgoing = list(messages)
        if not outgoing:
            return []
        tries = Retrying(
            retry=retry_if_exception_type(_Aborted),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            reraise=True,
        )
        try:
            return tries(self._attempt, batch, outgoing)
        except _Aborted as aborted:
            message = (
                f"kafka {self._id}: a batch of {len(outgoing)} messages must be sent; it was refused {ATTEMPTS} times, "
                f"at last with {aborted}; the batch can be sent again"
            )
            raise TransientError(message) from None

    def markers(self) -> list[Sent]:
        """Return everything ever sent, by any writer, that the marker topic holds.

        Opens a producer first where there is none: only then is decided what an earlier one left undecided.

        Raises
        ------
        TransientError
            When no broker answers, or another writer's transaction stays open before the end of the topic.
        OperationError
            When the topic holds something else than markers.
        """
        self._ready()
        return read_markers(self._config, self._marker_topic, TRANSACTION_SECONDS)

    def close(self) -> None:
        """Let the producer go. An open transaction is not committed."""
        self._discard()

    def _ready(self) -> Producer:
        if self._shut_out:
            raise self._another_run()
        if self._producer is None:
            self._producer = self._opened()
        return self._producer

    def _opened(self) -> Producer:
        partitions = ensure_topic(self._config, self._marker_topic, 1)
        if partitions != 1:
            # Markers are read from the first alone: what stood in another would be sent again.
            message = (
                f"kafka topic {self._marker_topic}: must have one partition; got {partitions}; "
                "remove it if nothing of the night was sent, or its markers if all is in the lake"
            )
            raise OperationError(message)
        producer = Producer({**_PRODUCER, **self._config, "transactional.id": self._id})
        with answering(self._config, f"transactional id {self._id!r}"):
            _patiently(producer.init_transactions, ANSWER_SECONDS)
        return producer

    def _discard(self) -> None:
        if self._producer is not None:
            self._producer.purge()
            self._producer = None  # the last reference: librdkafka ends its threads and connections

    def _attempt(self, batch: str, outgoing: Sequence[Outgoing]) -> list[Sent]:
        producer, began = self._ready(), time.monotonic()
        try:
            producer.begin_transaction()
            sent = _produce_all(producer, outgoing)
            notes = [Outgoing("", self._marker_topic, 0, batch.encode(), value) for value in marks(batch, sent)]
            _produce_all(producer, notes)
            self._commit(producer)
        except (KafkaException, SystemError) as error:
            raise self._failed(producer, _meaning(error), time.monotonic() - began) from None
        except BaseException:  # whatever ends this call must not leave its transaction to the next one
            self._discard()
            raise
        return sent

    def _commit(self, producer: Producer) -> None:
        """Commit; repeated while the coordinator cannot say whether it is done."""
        _patiently(producer.commit_transaction, ANSWER_SECONDS)

    def _failed(self, producer: Producer, error: KafkaError, seconds: float) -> Exception:
        """Return what an error of a transaction means for the caller, the transaction being aborted or given up."""
        if not error.fatal() and not error.retriable():
            refusal = _abort(producer)
            if refusal is None:
                return self._refused(error)
            error = refusal
        self._discard()
        # A coordinator also shuts a transaction out that took too long: then there need be no other run.
        if error.fatal() and error.code() in _FENCED and seconds < TRANSACTION_SECONDS:
            self._shut_out = True
            return self._another_run()
        return self._in_doubt(error)

    def _refused(self, error: KafkaError) -> Exception:
        if error.code() not in _HOPELESS:
            return _Aborted(error.str())
        return OperationError(f"kafka {self._id}: every message must be one its topic takes; got {error.str()!r}")

    def _another_run(self) -> OperationError:
        return OperationError(f"kafka {self._id}: one run may write this night; got another; stop one of them")

    def _in_doubt(self, error: KafkaError) -> TransientError:
        return TransientError(
            f"kafka {self._id}: the outcome of a batch must be known; got {error.str()!r}; "
            f"compare with the markers in {self._marker_topic} and send what is missing"
        )


@dataclass
class _Deliveries:
    """Delivery reports of the messages of one transaction, by their place in the batch."""

    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    error: KafkaError | None = None

    def report(self, index: int, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.error = self.error or error
        else:
            self.places[index] = (message.partition() or 0, message.offset() or 0)


def _produce_all(producer: Producer, outgoing: Sequence[Outgoing]) -> list[Sent]:
    """Produce messages and wait for the reports that say where they are; raises KafkaException."""
    deliveries = _Deliveries()
    for index, item in enumerate(outgoing):
        _produce(producer, item, partial(deliveries.report, index))
        if deliveries.error is not None:
            break
    left = producer.flush(PATIENCE_SECONDS)
    if deliveries.error is not None:
        raise KafkaException(deliveries.error)
    if left:
        raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT, f"{left} messages not delivered"))
    places = (deliveries.places[index] for index in range(len(outgoing)))
    return [Sent(item.filter, item.candid, item.topic, *place) for item, place in zip(outgoing, places, strict=True)]


def _produce(producer: Producer, item: Outgoing, report: Any) -> None:
    """Queue one message; a full queue is waited for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            producer.produce(item.topic, item.value, item.key, headers=list(item.headers), on_delivery=report)
        except BufferError:
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT, "the queue stays full")) from None
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _abort(producer: Producer) -> KafkaError | None:
    """Abort the open transaction; return why it cannot be said to be aborted, if so."""
    try:
        _patiently(producer.abort_transaction, ANSWER_SECONDS)
    except (KafkaException, SystemError) as error:
        return _meaning(error)
    return None


def _meaning(error: KafkaException | SystemError) -> KafkaError:
    """Return Kafka's error; a fatal one is raised while delivery reports are run, and Python wraps it in its own."""
    raised = error if isinstance(error, KafkaException) else error.__cause__
    if not isinstance(raised, KafkaException):
        raise error
    meaning: KafkaError = raised.args[0]
    return meaning


def _patiently(request: Any, seconds: float) -> None:
    """Make a request of the transaction coordinator, and repeat it while librdkafka says that it may be."""
    Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, KafkaException) and error.args[0].retriable()),
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    )(request, seconds)
