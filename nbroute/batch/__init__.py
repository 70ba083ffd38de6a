"""Many prompts: results in order, one failure a row and not the end, on threads or a cluster."""

from __future__ import annotations

from nbroute.batch.rows import Row
from nbroute.batch.run import amap, aroute, map_prompts
from nbroute.batch.store import Batch

__all__ = ["Batch", "Row", "amap", "aroute", "map_prompts"]
