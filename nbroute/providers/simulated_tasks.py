"""The small functions that the simulated models can write, right and with a mistake put in.

They are the exercises that workshops give. Every mistake is one that a plain test finds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """A function's body, right and wrong, over the arguments `takes`.

    `names` are what it is called, `told` a pattern for a prompt that describes it, and `only`
    one that a prompt must have beside either (two tasks may go by one name).
    """

    names: tuple[str, ...]
    takes: tuple[str, ...]
    told: str
    right: str
    wrong: str
    only: str = ""


_SYMBOLS = (
    '[(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), '
    '(50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]'
)
_FIZZ = 'if {0} % 15 == 0:\n    return "FizzBuzz"\nif {0} % 3 == 0:\n    return "Fizz"\n'
_FIZZ += 'return "Buzz" if {0} % 5 == 0 else str({0})'
_FIZZ_ALL = (
    "out = []\nfor i in range(1, n + 1):\n"
    '    word = ("Fizz" if i % 3 == 0 else "") + ("Buzz" if i % 5 == 0 else "")\n'
    "    out.append(word or str(i))\nreturn out"
)

TASKS = (
    Task(
        ("add", "add_numbers", "sum_two", "plus"),
        ("a", "b"),
        r"\b(?:adds?|sums?|sum of) (?:up )?(?:the )?(?:two|2|both)\b",
        "return a + b",
        "return a - b",
    ),
    Task(
        ("is_palindrome", "palindrome"),
        ("text",),
        r"\bpalindrom",
        "kept = [c.lower() for c in str(text) if c.isalnum()]\nreturn kept == kept[::-1]",
        "half = len(text) // 2\nreturn text[:half] == text[half:]",
    ),
    Task(
        ("fizzbuzz", "fizz_buzz"),
        ("n",),
        r"\bfizz\W?buzz",
        _FIZZ_ALL,
        _FIZZ_ALL.replace("n + 1", "n"),
        only=r"\blist\b|\b1 to\b|\bup to\b|\ball (?:the )?numbers",
    ),
    Task(
        ("fizzbuzz", "fizz_buzz"),
        ("n",),
        r"\bfizz\W?buzz",
        _FIZZ.format("n"),
        _FIZZ.format("n").replace("15", "30"),
    ),
    Task(
        ("median",),
        ("numbers",),
        r"\bmedian\b",
        "ordered = sorted(numbers)\nhalf = len(ordered) // 2\nif len(ordered) % 2:\n"
        "    return ordered[half]\nreturn (ordered[half - 1] + ordered[half]) / 2",
        "return numbers[len(numbers) // 2]",
    ),
    Task(
        ("from_roman", "roman_to_int", "roman_to_integer", "roman_to_number", "parse_roman"),
        ("text",),
        r"\bfrom (?:a )?roman\b|\broman numerals? (?:in)?to (?:an? )?(?:int|number|arabic)",
        'values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}\n'
        "total = 0\nfor c, following in zip(text, [*text[1:], None]):\n"
        "    value = values[c]\n"
        "    total += -value if following and values[following] > value else value\n"
        "return total",
        'values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}\n'
        "return sum(values[c] for c in text)",
    ),
    Task(
        ("roman", "to_roman", "int_to_roman", "roman_numeral", "roman_numerals"),
        ("number",),
        r"\broman numeral",
        f'out = ""\nfor value, symbol in {_SYMBOLS}:\n    while number >= value:\n'
        "        out += symbol\n        number -= value\nreturn out",
        'out = ""\nfor value, symbol in [(1000, "M"), (500, "D"), (100, "C"), (50, "L"), '
        '(10, "X"), (5, "V"), (1, "I")]:\n    while number >= value:\n'
        "        out += symbol\n        number -= value\nreturn out",
    ),
    Task(
        ("flatten", "flatten_list"),
        ("items",),
        r"\bflatten",
        "out = []\nfor item in items:\n    if isinstance(item, (list, tuple)):\n"
        "        out.extend({name}(item))\n    else:\n        out.append(item)\nreturn out",
        "out = []\nfor item in items:\n    out.append(item)\nreturn out",
    ),
    Task(
        ("word_count", "count_words", "word_counts", "word_frequencies"),
        ("text",),
        r"\bcounts? (?:the |each )?words?\b|\bword count",
        "counts = {}\nfor word in text.lower().split():\n"
        '    word = word.strip(".,;:!?()\\"\'")\n    if word:\n'
        "        counts[word] = counts.get(word, 0) + 1\nreturn counts",
        "counts = {}\nfor word in text.split():\n    counts[word] = 1\nreturn counts",
        only=r"\bdict|\beach\b|\bhow often|\boccur|\bfrequenc|\bcounts\b",
    ),
    Task(
        ("word_count", "count_words"),
        ("text",),
        r"\bcounts? (?:the )?(?:number of )?words?\b|\bnumber of words\b|\bword count",
        "return len(text.split())",
        "return len(text.split()) - 1",
    ),
    Task(
        ("leap_year", "is_leap_year", "is_leap", "leap"),
        ("year",),
        r"\bleap year",
        "return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)",
        "return year % 4 == 1",
    ),
    Task(
        ("gcd", "greatest_common_divisor"),
        ("a", "b"),
        r"\bgreatest common|\bgcd\b",
        "while b:\n    a, b = b, a % b\nreturn abs(a)",
        "return min(a, b) - 1",
    ),
    Task(
        ("fibonacci", "fib", "fibonacci_numbers"),
        ("n",),
        r"\bfibonacci",
        "out = [0, 1]\nwhile len(out) < n:\n    out.append(out[-1] + out[-2])\nreturn out[:n]",
        "out = [1, 2]\nwhile len(out) < n:\n    out.append(out[-1] + out[-2])\nreturn out[:n]",
        only=r"\bfirst n\b|\blist of|\bfirst `n`",
    ),
    Task(
        ("fibonacci", "fib"),
        ("n",),
        r"\bfibonacci",
        "a, b = 0, 1\nfor _ in range(n):\n    a, b = b, a + b\nreturn a",
        "a, b = 1, 2\nfor _ in range(n):\n    a, b = b, a + b\nreturn a",
    ),
    Task(
        ("merge_sorted", "merge", "merge_sorted_lists", "merge_lists"),
        ("a", "b"),
        r"\bmerges? (?:the )?two sorted\b",
        "out, i, j = [], 0, 0\nwhile i < len(a) and j < len(b):\n    if a[i] <= b[j]:\n"
        "        out.append(a[i])\n        i += 1\n    else:\n"
        "        out.append(b[j])\n        j += 1\nreturn out + list(a[i:]) + list(b[j:])",
        "return list(a) + list(b)",
    ),
)
