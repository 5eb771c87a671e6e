"""Carries the events of an engine from its own thread to those who wait for them in asyncio loops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence

from bamba.engine.protocol import Engine, EngineRequest, Event, Finish
from bamba.errors import BambaError, EngineClosedError

_POLL_SECONDS = 0.2  # The longest that closing waits for the thread.


class Mailbox:
    """The events of one request, for one task of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._events: list[Event] = []
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        """Adds an event; only in the loop's thread."""
        self._events.append(event)
        self._arrived.set()

    async def take(self) -> list[Event]:
        """All events that have come, at least one."""
        await self._arrived.wait()
        self._arrived.clear()
        events, self._events = self._events, []
        return events


class EventPump:
    """A thread that polls an engine and puts each event into the mailbox of its request."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mailboxes: dict[int, Mailbox] = {}
        self._lock = threading.Lock()
        self._next_key = 1
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bamba-events", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether events still come."""
        return self._thread.is_alive() and not self._stopping.is_set()

    @property
    def active(self) -> int:
        """Requests whose last event has not come yet."""
        with self._lock:
            return len(self._mailboxes)

    def open(self) -> tuple[int, Mailbox]:
        """A key for a request and the mailbox of its events, in the running loop."""
        mailbox = Mailbox(asyncio.get_running_loop())
        with self._lock:
            key = self._next_key
            self._next_key += 1
            self._mailboxes[key] = mailbox
        return key, mailbox

    def submit(self, request: EngineRequest) -> None:
        """Submits a request whose key `open` gave. Raises as Engine.submit; the mailbox is then gone."""
        if not self.alive:
            self._forget(request.key)
            raise EngineClosedError("the engine is closed")
        try:
            self._engine.submit(request)
        except BaseException:
            self._forget(request.key)
            raise

    def cancel(self, key: int) -> None:
        """Ends a request, of which nobody waits for events any more."""
        with self._lock:
            known = self._mailboxes.pop(key, None) is not None
        if known and not self._stopping.is_set():
            with contextlib.suppress(EngineClosedError):
                self._engine.cancel(key)

    def stop(self) -> None:
        """Ends the thread. Those who still wait get an error."""
        self._stopping.set()
        self._thread.join()

    def _forget(self, key: int) -> None:
        with self._lock:
            self._mailboxes.pop(key, None)

    def _run(self) -> None:
        failure = "the engine is closed"
        while not self._stopping.is_set():
            try:
                events = self._engine.poll(_POLL_SECONDS)
            except BambaError as error:
                failure = str(error)
                break
            if events:
                self._deliver(events)
        with self._lock:
            keys = list(self._mailboxes)
        self._deliver([Event(key, None, Finish.ERROR, status="BAMBA_NOT_READY", message=failure) for key in keys])

    def _deliver(self, events: Sequence[Event]) -> None:
        """Wakes each loop once, with all of its events."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Mailbox, Event]]] = {}
        with self._lock:
            for event in events:
                mailbox = self._mailboxes.get(event.key)
                if mailbox is None:  # Cancelled: nobody waits.
                    continue
                by_loop.setdefault(mailbox.loop, []).append((mailbox, event))
                if event.finish != Finish.NONE:
                    del self._mailboxes[event.key]
        for loop, items in by_loop.items():
            with contextlib.suppress(RuntimeError):  # The loop was closed, and its tasks with it.
                loop.call_soon_threadsafe(_put_all, items)


def _put_all(items: Sequence[tuple[Mailbox, Event]]) -> None:
    for mailbox, event in items:
        mailbox.put(event)
