"""Remembers which replica has seen which beginning of a prompt."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeVar

_Replica = TypeVar("_Replica", bound=Hashable)

BLOCK_CHARACTERS = 256  # The unit in which beginnings are compared; about 64 tokens.
MAX_BLOCKS = 256


def prefix_blocks(body: bytes) -> list[int]:
    """A number for each beginning of the prompt in a request's body, one for every block of characters.

    Equal beginnings have equal numbers. A body that is no request has none.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    text = _prompt_text(found) if isinstance(found, dict) else ""
    digest, blocks = hashlib.blake2b(digest_size=8), []
    for start in range(0, min(len(text), MAX_BLOCKS * BLOCK_CHARACTERS), BLOCK_CHARACTERS):
        digest.update(text[start : start + BLOCK_CHARACTERS].encode("utf-8", "surrogatepass"))
        blocks.append(int.from_bytes(digest.copy().digest(), "big"))
    return blocks


def _prompt_text(body: dict[str, Any]) -> str:
    """What of a request comes first in its prompt: the messages, or the prompt itself."""
    prompt = body.get("messages", body.get("prompt", ""))
    return prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False)


class PrefixIndex(Generic[_Replica]):
    """Which replicas have seen a beginning, for the `capacity` beginnings that were used last."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[int, set[_Replica]] = OrderedDict()

    def record(self, blocks: Sequence[int], replica: _Replica) -> None:
        """A replica has got a prompt."""
        for block in blocks:
            self._seen.setdefault(block, set()).add(replica)
            self._seen.move_to_end(block)
        while len(self._seen) > self._capacity:
            self._seen.popitem(last=False)

    def matches(self, blocks: Sequence[int]) -> dict[_Replica, int]:
        """How many blocks of a prompt each replica has seen; replicas that have seen none are not there."""
        found: dict[_Replica, int] = {}
        left: set[_Replica] | None = None
        for length, block in enumerate(blocks, 1):
            seen = self._seen.get(block, set())
            left = set(seen) if left is None else left & seen
            if not left:
                break
            found.update(dict.fromkeys(left, length))
        return found

    def forget(self, replica: _Replica) -> None:
        """A replica is gone, and its cache with it."""
        for block in [block for block, replicas in self._seen.items() if replica in replicas]:
            self._seen[block].discard(replica)
            if not self._seen[block]:
                del self._seen[block]


def rank(
    replicas: Sequence[_Replica], matched: dict[_Replica, int], load: dict[_Replica, int], slack: int
) -> list[_Replica]:
    """The replicas, best first: the longest beginning, then the least load.

    A replica with more than `slack` requests beyond the least busy one counts as one that has seen nothing.
    """
    least = min((load.get(replica, 0) for replica in replicas), default=0)

    def key(replica: _Replica) -> tuple[int, int]:
        busy = load.get(replica, 0)
        return (-matched.get(replica, 0) if busy - least <= slack else 0, busy)

    return sorted(replicas, key=key)
