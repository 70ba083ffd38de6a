"""What an answer ends in, and whether two answers agree."""

from __future__ import annotations

import pytest

from nbroute.checks import agree, final_value

VALUES = {
    r"So the total is \boxed{\frac{3}{4}}.": "0.75",
    r"Thus $x = \boxed{1{,}000}$": "1000",
    '```json\n{"reasoning": "2 + 2", "answer": "4"}\n```': "4",
    '{"answer": 1000.0, "sure": true}': "1000",
    '{"reasoning": "it is \\frac", "answer": "\\frac{1}{2}"': "0.5",
    '{"answer": "\\"ab\\""}': "'ab'",
    r'{"answer": "\d is \"x\\y\" here"}': r'\d is "x\y" here',
    "**Answer:** B) 12 cm": "B",
    "The answer is 1,234.50 dollars.": "1234.5",
    "Therefore the answer is $42$.": "42",
    "The answer is 5 km/h": "5",
    "The answer is 5 miles": "5",
    "答案是3.5万元。": "35000",
    "A few steps\n#### 18": "18",
    "Die Antwort lautet 3,5 Liter.": "3.5",
    "Die Antwort ist 1.234,5": "1234.5",
    "La respuesta correcta es 7": "7",
    "所以答案是 42。": "42",
    "सही उत्तर है 9।": "9",
    "(B) because the others are too small": "B",
    "f(3) returns `[3, 2, 1]`": "[3, 2, 1]",
    "assert f('a') == 'aa'": "'aa'",
    "First 3 apples, then 4.\n3 + 4 = 7": "7",
    "It takes 15 minutes.": "15",
    "<think>the answer is 5</think>The answer is 6.": "6",
    r"\boxed{1\frac{1}{2}}": "1.5",
    r"\boxed{x = -4}": "-4",
    r"\boxed{\text{(B)}}": "B",
    "The answer is 50%.": "50%",
    "About 2.1 million people.": "2100000",
    "Das Ergebnis ist 1,5 Milliarden Euro.": "1500000000",
    "The correct answer is option (b).": "B",
    "### Final answer\n42": "42",
    "The output is:\n```\n[1, 2]\n```": "[1, 2]",
    "The answer is 5, since there are 3 dogs and 2 cats here.": "5",
    '{"answer": "The answer is (C)"}': "C",
    "3 + 4 = 7\n\nSo she has 7 apples left in the basket.": "7",
    "The temperature is -5 degrees.": "-5",
    "**Paris**": "Paris",
    '{"name": "Bob", "age": 5}': "{'name': 'Bob', 'age': 5}",
    "So f(2) returns ['a', 'b'], which is a list of two.": "['a', 'b']",
}
NONE = [
    "",
    "<think>the answer is 5",
    "The Eiffel Tower was built for the fair of 1889, and stands in Paris today.",
    "There are many reasons. It is 3 times larger, and 20% slower.",
    "A good answer is hard to give.",
    "A. First point\nB. Second point",
    "No. 91 = 7 x 13.",
    'If it prints "cannot access", the path does not exist.',
    "```python\ndef f(x):\n    return 0\n```",
    "```python\ndef f(x):\n    return x\n\nassert f(1) == 1\n```",
    "The answer is that it depends on what you want to do with it in the end",
]


@pytest.mark.parametrize("text", [*VALUES, *NONE], ids=lambda text: text[-30:])
def test_the_value_that_an_answer_ends_in(text):
    assert VALUES.get(text) == final_value(text)


@pytest.mark.parametrize(
    ("a", "b", "agrees"),
    [
        ("The answer is 1,000.", r"\boxed{1000.0}", True),
        ("The answer is 0.3333333333", "The answer is 1/3", True),
        ('returns "ab"', "returns 'ab'", True),
        ("returns [1,2]", "returns [1, 2]", True),
        ("Paris.", "The answer is **Paris**", True),
        ("The answer is 50%", "The answer is 0.5", True),
        ("The answer is 50%", "The answer is 50", True),
        ("The answer is 50%", "The answer is 0.5%", False),
        ("It is $2 million.", "It is $2 billion.", False),
        ('{"a": 1, "b": true}', '{"b": true, "a": 1}', True),
    ],
)
def test_answers_with_values_agree_by_them_whatever_the_cosine(a, b, agrees):
    found = agree(a, b, 1.0 if not agrees else 0.0)

    assert (agrees, "value") == (found.agrees, found.by)


def test_without_values_the_cosine_decides_and_else_the_text():
    a, b = "It looks blue because air scatters blue light most.", "Blue light is scattered more."

    assert (True, "cosine") == ((found := agree(a, b, 0.93)).agrees, found.by)
    assert not agree(a, b, 0.91).agrees
    assert agree(a, b, 0.9, least=0.9).agrees
    assert (False, "text") == ((found := agree(a, b)).agrees, found.by)
    assert agree(a, f"**{a.upper()}**\n").agrees


PIECES = ["7 ", "\\boxed{", "[", '"answer": ', "the answer is ", "1", "`", "= 3", "\\frac{", "A) "]
PIECES += ["assert f(", "```x\n", "<think>"]
ENDLESS = ['{"answer": "' + "\\" * 300_000, "7 = " + " " * 300_000, "returns " + "(" * 300_000]
ENDLESS += ["returns [" + "1)" * 150_000, '{"answer": 1e999}', "The answer is 10^999999"]
ENDLESS += ["The answer is 1/0", "\ud800 \0 ", *(piece * 50_000 for piece in PIECES)]


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: ascii(text[:12]))
def test_any_text_has_a_value_or_none(text):
    value = final_value(text)

    assert value is None or len(value) <= 500
    assert agree(text, text).agrees
