"""Sends a request to the replica that holds the beginning of its prompt."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

from bamba.ray.forwarded import Forwarded
from bamba.ray.prefix_index import PrefixIndex, rank

_SLACK = 8  # Requests by which the replica with the prefix may be busier than the least busy one.


class PrefixRouter(RequestRouter):  # type: ignore[misc]
    """Ray Serve makes one in each process that sends requests, here that of the ingress."""

    def initialize_state(self, slack: int = _SLACK, **_more: Any) -> None:
        """Called by Ray Serve once, with `request_router_kwargs`."""
        self._slack = slack
        self._index: PrefixIndex[ReplicaID] = PrefixIndex()
        self._running: Counter[ReplicaID] = Counter()

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """The replicas, best first, each a choice of its own."""
        if not candidate_replicas:
            return []
        by_id = {replica.replica_id: replica for replica in candidate_replicas}
        shuffled = random.sample(list(by_id), len(by_id))  # So that equals share the load.
        matched = self._index.matches(_blocks(pending_request))
        return [[by_id[each]] for each in rank(shuffled, matched, dict(self._running), self._slack)]

    def on_request_routed(self, pending_request: PendingRequest, replica_id: ReplicaID, result: Any) -> None:
        """Notes who has the prompt now."""
        super().on_request_routed(pending_request, replica_id, result)
        self._running[replica_id] += 1
        self._index.record(_blocks(pending_request), replica_id)

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        """Notes that a request has ended, in any way."""
        super().on_request_completed(replica_id, internal_request_id)
        self._running[replica_id] = max(0, self._running[replica_id] - 1)

    def on_replica_actor_died(self, replica_id: ReplicaID) -> None:
        """Forgets a replica."""
        super().on_replica_actor_died(replica_id)
        self._running.pop(replica_id, None)
        self._index.forget(replica_id)


def _blocks(pending: PendingRequest | None) -> tuple[int, ...]:
    """The beginnings of the prompt, which the ingress has computed."""
    if pending is not None and pending.args and isinstance(pending.args[0], Forwarded):
        return pending.args[0].blocks
    return ()
