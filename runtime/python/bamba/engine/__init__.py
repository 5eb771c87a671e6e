"""Engines: what takes requests as tokens and answers token by token."""

from bamba.engine.protocol import Counters, Engine, EngineInfo, EngineRequest, Event, Finish, Histogram

__all__ = ["Counters", "Engine", "EngineInfo", "EngineRequest", "Event", "Finish", "Histogram"]
