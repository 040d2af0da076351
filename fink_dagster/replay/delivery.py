"""Sending messages and knowing of each whether it arrived.

An idempotent producer that is told of every message's fate. What is sent where is decided in ``replay``.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.kafka.clients import answering, as_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from confluent_kafka import KafkaError, Message

DELIVERY_SECONDS = 60.0
"""Longer than a broker takes to start again, so that a replay survives that."""

_PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "message.max.bytes": 16_700_000,  # a little more than a packet may have, a little less than our topics take
    "queue.buffering.max.kbytes": 65_536,  # a source may be far larger than memory
    "linger.ms": 5,
}
_SETTLE_SECONDS = 5.0  # a user who has pressed Ctrl-C waits no longer
_NEWS_SECONDS = 0.1


class Delivery:
    """A producer and the fate of what it was given; a context that, left in whatever way, sends nothing more.

    The fates are heard in a thread of their own: a signal that meets the main thread inside a callback of librdkafka
    is lost there, and Ctrl-C would end in a SystemError (seen with confluent-kafka 2.16.1).

    Parameters
    ----------
    config : mapping
        The cluster, as ``kafka.clients`` gives it.
    report : callable
        Called, by the thread that sends, when more messages have arrived.
    seconds : float
        How long a message may take to arrive.

    Attributes
    ----------
    given, arrived, failed : int
        Messages handed over, confirmed by the broker, and known not to have arrived.
    """

    def __init__(
        self, config: Mapping[str, str], report: Callable[[], None], seconds: float = DELIVERY_SECONDS
    ) -> None:
        self.given = self.arrived = self.failed = 0
        self._config = config
        self._report = report
        self._reported = 0
        self._seconds = seconds
        self._error: OperationError | None = None
        self._over = threading.Event()
        self._news = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="delivery", daemon=True)
        with answering(config):
            self._producer = Producer({**config, **_PRODUCER, "message.timeout.ms": int(seconds * 1000)})

    def __enter__(self) -> Delivery:
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what is queued and settle what is on its way: a replay that was stopped may be run again at once."""
        self._producer.purge(in_queue=True, in_flight=False)
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self._unsettled() and time.monotonic() < deadline:
            time.sleep(_NEWS_SECONDS)
        self._producer.purge()
        self._over.set()
        self._listener.join()

    @property
    def hopeless(self) -> bool:
        """Whether the broker is gone, so that what follows would fail as well."""
        return isinstance(self._error, TransientError)

    def send(self, topic: str, partition: int, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Hand over one message; waits while the queue is full.

        Raises
        ------
        OperationError
            When the producer can send nothing more.
        """
        with answering(self._config, f"topic {topic!r}"):
            while not self.hopeless:
                try:
                    told = self._told
                    self._producer.produce(topic, value, partition=partition, headers=list(headers), on_delivery=told)
                except BufferError:
                    self._hear(_NEWS_SECONDS)
                    continue
                self.given += 1
                break
        self._hear(0)

    def wait_until(self, moment: float) -> None:
        """Wait for a moment of the monotonic clock [s], unless the broker is gone."""
        while (left := moment - time.monotonic()) > 0 and not self.hopeless:
            self._hear(min(left, _NEWS_SECONDS))

    def finish(self) -> None:
        """Wait until the fate of every message is known.

        Raises
        ------
        TransientError, OperationError
            When one did not arrive.
        """
        while self._unsettled():
            self._hear(_NEWS_SECONDS)
        self._hear(0)
        if self._error is not None:
            counts = f"{self.failed} of {self.given} sent did not"
            kind = type(self._error)
            message = f"replay: each packet must arrive; {counts} ({self._error}); run it again to send the rest"
            raise kind(message)

    def _unsettled(self) -> int:
        return self.given - self.arrived - self.failed

    def _hear(self, seconds: float) -> None:
        """Wait for news at most so long, and pass on what has arrived."""
        self._news.wait(seconds)
        self._news.clear()
        if self.arrived > self._reported:
            self._reported = self.arrived
            self._report()

    def _listen(self) -> None:
        while not self._over.is_set():
            self._producer.poll(_NEWS_SECONDS)

    def _told(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.arrived += 1
        else:
            if not self.hopeless:
                self._error = as_ours(error, self._config, seconds=self._seconds)
            self.failed += 1
        self._news.set()
