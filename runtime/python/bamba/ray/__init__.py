"""Replicas of a model on Ray Serve, behind one address with OpenAI's interface.

    serve run bamba.ray:app checkpoint=/models/bamba replicas=4 gpus=1 target=sm_90a device=cuda

Requests go to the replica whose prefix cache has the beginning of their prompt, unless that is much busier than others.
"""

from bamba.ray.deployment import app

__all__ = ["app"]
