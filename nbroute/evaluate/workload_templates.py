"""Development prompts as people type them, with gaps; by kind, under the tier each should need.

The tiers are the third article's; "80% of dev requests are simple: formatting, conversion,
quick lookups" is its claim. The kinds and the wording are our own.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Kind -> ways to ask for it.
Kinds = Mapping[str, tuple[str, ...]]

_FAST: Kinds = {
    "format": (
        "format this json:\n$json",
        "Pretty-print this with an indent of 2:\n$json",
        "Sort the keys of this object: $json",
    ),
    "convert": (
        "Convert to $format:\n$csv",
        "turn this into a $language dict or map literal\n$json",
        "$stamp to an ISO date please",
        "convert $small MiB to bytes",
    ),
    "rename": (
        "rename $identifier to $identifier2:\n```python\n$snippet\n```",
        "Change every ${noun}_id below to ${other}_key, nothing else.\n$snippet",
        "camelCase for: $words",
    ),
    "look up": (
        "what is http $code",
        "What does $error mean in Python?",
        "which port does $store use by default? mine is on $port",
        "$tool flag for verbose output?",
        "What's the difference between $format and JSON, in one line",
        "is $language garbage collected?",
    ),
    "regex": (
        "regex for a ${noun} id like ${noun}-$stamp",
        "Regex that matches a $small digit number at the end of a line",
    ),
    "typo": (
        "fix the typo: we $typo the $noun from $store",
        'Correct the spelling in "the $noun was $typo after $small retries"',
    ),
    "comment": (
        "add a one-line docstring\n$snippet",
        "Add comments to this:\n```\n$snippet\n```",
        "commit message for: renamed $identifier to $identifier2",
    ),
    "command": (
        "git command to undo the last $small commits but keep the changes",
        "how do I stop the $tool process on port $port",
        "cron expression for every $small minutes on weekdays",
        "curl command to post $json to localhost:$port",
        "list files larger than ${small}MB in bash",
    ),
    "list": (
        "Count these and sort them: $words",
        "remove duplicates: $words, $words",
        "five example names for a $language class that holds a $noun",
        "fake test data, $small rows with ${noun}, $other",
    ),
    "snippet": (
        "how to reverse a list in $language",
        "one-liner in $language that sums the $other of every $noun",
        "read a $format file in $language",
        "type hints for this\n$snippet",
        "loop over a map in $language",
    ),
    "translate": (
        "Translate this to German: the $noun has no $other",
        "translate the message '$noun $small is missing its $other' into Spanish",
    ),
    "extract": (
        "which fields are null here? $json",
        "only the ids please\n$csv",
        "What is the status in this? $json",
    ),
}

_MID: Kinds = {
    "function": (
        (
            "Write a $language function that groups ${noun}s by $other, skips the ones without it, "
            "and keeps the order of first appearance. Handle empty input."
        ),
        (
            "Implement a retry decorator with $algorithm and at most $small attempts in $language, "
            "with jitter, that does not retry on $error."
        ),
    ),
    "debug": (
        "Why do I get this and how do I fix it?\n$trace\n\nThe code:\n$snippet",
        "This returns too few rows when limit is $small. What is wrong?\n```python\n$snippet\n```",
    ),
    "test": (
        "Write pytest tests for this, edge cases included:\n```python\n$snippet\n```",
        (
            "Which cases are not covered if I only test $identifier with an empty list and $small "
            "${noun}s? Write the missing tests.\n$snippet"
        ),
    ),
    "sql": (
        (
            "$store query: for each $noun the last three ${other} values of the past $small days, "
            "and the change in percent against the period before, with ${noun}s that have none."
        ),
        (
            "This query on ${noun}s takes $small s in $store although there is an index on $other. "
            "Explain what the planner may be doing and propose a better index."
        ),
    ),
    "review": (
        "Review this function for bugs and readability and suggest a better version:\n$snippet",
        "is this safe to call from several threads? explain\n```python\n$snippet\n```",
    ),
    "refactor": (
        (
            "Refactor this so that the query filters in $store and not in a loop. Keep the "
            "signature and explain each change.\n```python\n$snippet\n```"
        ),
    ),
    "explain": (
        (
            "Explain how $algorithm works and when I would use it for ${noun}s in $store, with a "
            "short example in $language."
        ),
        "Compare $store and SQLite for a $noun table with $rate writes a second.",
    ),
    "configure": (
        (
            "Write a Dockerfile for a $framework app that listens on $port, multi-stage, with a "
            "user that is not root and a health check."
        ),
        (
            "GitHub Actions workflow: lint, test on three versions of $language, and publish a "
            "package on a tag. Cache the dependencies."
        ),
    ),
}

_POWER: Kinds = {
    "architecture": (
        (
            "Design the architecture of a $noun service on $cloud that takes $rate requests a "
            "second at peak and keeps working when a region is lost. We are $team people and run "
            "$framework with $store. Weigh at least two designs, name the risks, and decide."
        ),
        (
            "We want to split our $framework monolith ($size lines, $team developers) into "
            "services around $noun and $other. Where do we cut, what stays, and in which order?"
        ),
    ),
    "migration": (
        (
            "Write a migration plan from $store to a new cluster on $cloud for $size ${noun}s with "
            "no downtime: phases, dual writes, consistency checks, and the way back at each step."
        ),
    ),
    "audit": (
        (
            "Do a security audit of this module: injection, access control, secrets, races, denial "
            "of service. Rate each finding and give the fix.\n```python\n$snippets\n```"
        ),
    ),
    "concurrency": (
        (
            "About once in $rate requests two workers charge the same $noun twice. We use $store "
            "with read committed and $algorithm. Find every interleaving that allows it and prove "
            "that your fix leaves none.\n```python\n$snippet\n```"
        ),
    ),
    "performance": (
        (
            "Our nightly job joins $size ${noun}s with their $other and takes $small hours. Find a "
            "plan to bring it under ten minutes: algorithm, data layout, parallel work, memory. "
            "Estimate each step.\n```python\n$snippets\n```"
        ),
    ),
    "rework": (
        (
            "Refactor the entire module into layers with a clear boundary to $store, so that each "
            "part can be tested alone. Show the new structure, the code, and the order of steps "
            "that keeps the tests green.\n```python\n$snippets\n```"
        ),
    ),
    "incident": (
        (
            "Post-mortem: at 03:$small the $noun service on $cloud answered $code for 40 minutes "
            "after a deploy of $size lines, $store had $rate open connections, and retries with "
            "$algorithm made it worse. Reconstruct the chain of causes and propose what to change "
            "in code, process and alerts."
        ),
    ),
}

#: Tier -> kinds, cheapest first.
TEMPLATES: Mapping[str, Kinds] = {"fast": _FAST, "mid": _MID, "power": _POWER}
