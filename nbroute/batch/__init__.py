"""Many prompts: results in order, one failure a row and not the end, on threads or a cluster.

- `rows`     a `Row`: what became of one prompt
- `store`    the file that rows are kept in, and the `Batch` that reads them
- `jobs`     what is done with each prompt, and what that means for the others
- `workers`  who does it: threads, or an executor of other processes
- `run`      from prompts to rows; how to use it with a job of your own
"""

from __future__ import annotations

from nbroute.batch.rows import Row
from nbroute.batch.run import amap, aroute, map_prompts
from nbroute.batch.store import Batch

__all__ = ["Batch", "Row", "amap", "aroute", "map_prompts"]
