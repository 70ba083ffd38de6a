"""What an answer ends in, and whether two answers agree."""

from __future__ import annotations

import pytest

from nbroute.checks import agree, final_value
from nbroute.checks.values import Agreement

VALUES = {
    r"So the total is \boxed{\frac{3}{4}}.": "0.75",
    r"Thus $x = \boxed{1{,}000}$": "1000",
    '{"answer": 1000.0, "sure": true}': "1000",
    '{"reasoning": "it is \\frac", "answer": "\\frac{1}{2}"': "0.5",
    '{"answer": "\\"ab\\""}': "'ab'",
    r'{"answer": "\d is \"x\\y\" here"}': r'\d is "x\y" here',
    "**Answer:** B) 12 cm": "B",
    "The answer is 5 km/h": "5",
    "A few steps\n#### 18": "18",
    "Die Antwort ist 1.234,5": "1234.5",
    "La respuesta correcta es 7": "7",
    "सही उत्तर है 9।": "9",
    "(B) because the others are too small": "B",
    "assert f('a') == 'aa'": "'aa'",
    "<think>the answer is 5</think>The answer is 6.": "6",
    r"\boxed{1\frac{1}{2}}": "1.5",
    r"\boxed{x = -4}": "-4",
    r"\boxed{\text{(B)}}": "B",
    "Das Ergebnis ist 1,5 Milliarden Euro.": "1500000000",
    "The correct answer is option (b).": "B",
    "The output is:\n```\n[1, 2]\n```": "[1, 2]",
    "The answer is 5, since there are 3 dogs and 2 cats here.": "5",
    '{"answer": "The answer is (C)"}': "C",
    "3 + 4 = 7\n\nSo she has 7 apples left in the basket.": "7",
    "The answer is Henry the Eighth of old England": "Henry the Eighth of old England",
    f"{'It takes':<50}15 minutes": "15",
    f"The answer is {'Paris. ':a<200}": "Paris",
    "(B), because the others are too small": "B",
    "It must be the second one.\n**B**": "B",
    "The answer is `x + y`.": "x + y",
    "The answer is $x + y$.": "x + y",
    "巴黎。": "巴黎",
    r"\boxed{$\text{Paris}$}": "Paris",
    '{"answer": "\\beta"}': r"\beta",
    "答案是3.5万亿元。": "3.5e+12",
    "The answer is Rome\nThat is in Italy.": "Rome",
    "The answer is 5 km - it says so in all of the books": "5",
    "f(2) returns 3, and f(5) is much slower.": "3",
    "It prints:\n```\n3 + 4 = 7\n```": "7",
    '"I know what it is now."': "'I know what it is now.'",
    "[1, 2, 3, 4, 5, 6, 7]": "[1, 2, 3, 4, 5, 6, 7]",
    r"\boxed{50\%}": "50%",
    "The answer is −5.": "-5",
    "The answer is 1 000 m": "1000",
    r"The answer is $1.2 \times 10^{−3}$.": "0.0012",
    **{f"The result is {one}.": one for one in ("True", "False", "None")},
}
NONE = [
    "",
    "<think>the answer is 5",
    "The Eiffel Tower was built for the fair of 1889, and stands in Paris today.",
    "A good answer is hard to give.",
    "A. First point\nB. Second point",
    "No. 91 = 7 x 13.",
    'If it prints "cannot access", the path does not exist.',
    "```python\ndef f(x):\n    return x\n\nassert f(1) == 1\n```",
    "The answer is Henry the Eighth of all old England",
    f"{'It takes':<51}15 minutes",
    f"The answer is {'Paris. ':a<201}",
    "The answer is:\n```\na = 1\nb = 2\n```",
    "Try it:\n```\nx = 1\nassert f(x) == 2\n```",
    '"I do not know what it is."',
    "3 + 4 = 7\nThese are all of the apples that she has to sell today.",
    "3 + 4 = 7. These are all of the apples that she has to sell today.",
]


@pytest.mark.parametrize("text", [*VALUES, *NONE], ids=lambda text: text[-30:])
def test_the_value_that_an_answer_ends_in(text):
    assert VALUES.get(text) == final_value(text)


BLUE, SCATTERED = "Air scatters blue light the most.", "Blue light is scattered more."
PAIRS = [
    ("The answer is 1,000.", r"\boxed{1000.0}", True),
    ("The answer is 0.3333333333", "The answer is 1/3", True),
    ("The answer is 0.25", "The answer is 0.5", False),
    ('returns "ab"', "returns 'ab'", True),
    ("returns 'ab'", "returns 'AB'", False),
    ("returns [1,2]", "returns [1, 3]", False),
    (r"\boxed{[0, 1)}", r"\boxed{[0, 1)}", True),
    (r"\boxed{PI}", r"\boxed{pi}", True),
    (r"\boxed{x\%}", r"\boxed{y\%}", False),
    ("Paris.", "The answer is **Paris**", True),
    ("The answer is 50%", "The answer is 0.5", True),
    ("The answer is 50%", "The answer is 50", True),
    ("The answer is 0.5%", "The answer is 50%", False),
    ("The answer is 50%", "The answer is 0.5%", False),
    ("It is $2 million.", "It is $2 billion.", False),
    ('{"a": 1, "b": true}', '{"b": true, "a": 1}', True),
]


@pytest.mark.parametrize(("a", "b", "agrees"), PAIRS)
def test_answers_with_values_agree_by_them_whatever_the_cosine(a, b, agrees):
    values = final_value(a), final_value(b)

    assert Agreement(agrees, "value", values) == agree(a, b, 0.0 if agrees else 1.0)


def test_without_values_the_cosine_decides_and_else_the_text():
    assert Agreement(True, "cosine") == agree(BLUE, SCATTERED, 0.92)
    assert Agreement(False, "cosine") == agree(BLUE, SCATTERED, 0.919)
    assert Agreement(True, "cosine") == agree(BLUE, SCATTERED, 0.9, least=0.9)
    assert Agreement(False, "text") == agree(BLUE, SCATTERED)
    assert Agreement(True, "text") == agree(BLUE, f"**{BLUE.upper()}**\n")
    assert Agreement(False, "text", ("5", None)) == agree("The answer is 5.", BLUE)


PIECES = ["7 ", "\\boxed{", "[", '"answer": ', "the answer is ", "1", "`", "= 3", "\\frac{", "A) "]
PIECES += ["assert f(", "```x\n", "<think>"]
ENDLESS = ['{"answer": "' + "\\" * 300_000, "7 = " + " " * 300_000, "returns " + "(" * 300_000]
ENDLESS += ["returns [" + "1)" * 150_000, '{"answer": 1e999}', "The answer is 10^999999"]
ENDLESS += [str([1] * 167), '{"answer": "' + "x" * 501 + '"}', "The answer is 1/0"]
ENDLESS += ["\ud800 \0 ", *(piece * 50_000 for piece in PIECES)]


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: ascii(text[:12]))
def test_any_text_has_a_value_or_none(text):
    value = final_value(text)

    assert value is None or len(value) <= 500
    assert agree(text, text).agrees
