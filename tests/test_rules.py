"""What our own default rules make of a prompt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbroute.classify.instruction import REACH, instruction
from nbroute.classify.rules import RulesClassifier
from nbroute.types import Ladder, Tier

RULES = RulesClassifier()
BANDS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "tier_prompts.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
PASTE = (
    "The committee met in the old school and heard three reports. The first was about research "
    "into the town's water, the second an analysis of the budget, the third a security audit. "
    "Mrs Oduya was in the chair. Nobody spoke against the design of the new bridge, although two "
    "members asked whether its architecture suited the square. The vote was put off until the "
    "fourteenth. Tea was served by the pupils of the second form, who had also made the cakes."
)


def ladder(*names: str) -> Ladder:
    return Ladder("test", tuple(Tier(name, "none", name, 1) for name in names), names[0])


FOUR = ladder(*BANDS)


def tier(prompt: str) -> str:
    return RULES.classify(prompt, FOUR).tier


def accuracy(rows: list[dict[str, str]]) -> float:
    return sum(tier(row["prompt"]) == row["tier"] for row in rows) / len(rows)


@pytest.mark.parametrize(
    ("expected", "prompt"),
    [
        ("SIMPLE", "What is the capital of Peru?"),
        ("SIMPLE", "Hello there!"),
        ("MEDIUM", "Summarise the plot of Emma in three sentences."),
        ("MEDIUM", "Write a short note to say that the lift is broken."),
        ("COMPLEX", "Write a Python function that merges two sorted files, with tests."),
        ("COMPLEX", "Compare gas and induction cooking for a school kitchen and recommend one."),
        ("FRONTIER", "Prove that there are infinitely many primes."),
        ("FRONTIER", "Conduct a literature review of sleep research and propose experiments."),
    ],
)
def test_each_band_gets_its_plain_cases(expected, prompt):
    assert expected == tier(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "What does 'architect' mean?",
        "Spell 'algorithm'",
        "Translate 'security audit' into German",
        "Übersetze „Sicherheitsprüfung“ ins Englische.",
        "把“证明”翻译成法语。",
        "Make this uppercase: prove the theorem",
        "Who proved the four colour theorem?",
    ],
)
def test_a_frightening_word_that_is_only_mentioned_does_not_frighten(prompt):
    assert tier(prompt) == "SIMPLE"


@pytest.mark.parametrize(
    "prompt",
    [
        f"Who was in the chair?\n\n{PASTE}",
        f"{PASTE}\n\nWho was in the chair?",
        f"Here are the minutes:\n---\n{PASTE}\n---\nWho was in the chair?",
        f'Does the text mention cakes? Yes or no.\n\n"""{PASTE}"""',
        f"{PASTE} " * 40 + "\n\nWho was in the chair?",
    ],
)
def test_the_question_decides_and_not_the_pasted_text(prompt):
    assert tier(prompt) == "SIMPLE"


MAIL = (
    "Hi all,\n\nThe crates come on Thursday. Could somebody from finance confirm that the deposit "
    "of 900 euros is paid? I have asked twice. Please explain to Paula why two lamps are missing, "
    "and design a sign for the door.\n\nThe canteen is closed until Monday. What should we do "
    "about the printers? My own feeling is that they can stay there until the new floor is "
    "ready, but the architect would rather redesign the whole corner.\n\nBest wishes,\nIngrid"
)


@pytest.mark.parametrize(
    ("expected", "question"),
    [
        ("SIMPLE", "By what day must the deposit be paid?"),
        ("MEDIUM", "Sum this up in two sentences."),
        ("COMPLEX", "This came today. Compare both plans for the corner and weigh up the risks."),
        ("FRONTIER", "Find a seating scheme that all would accept, or show that there is none."),
    ],
)
def test_what_a_pasted_mail_asks_of_others_is_not_asked_of_us(expected, question):
    assert [expected] * 2 == [tier(f"{question}\n\n{MAIL}"), tier(f"{MAIL}\n\n{question}")]


def test_a_hard_question_about_a_pasted_text_stays_hard():
    prompt = f"{PASTE}\n\nAnalyse the arguments for and against the bridge and recommend a vote."

    assert tier(prompt) == "COMPLEX"


@pytest.mark.parametrize(
    "prompt",
    [
        "Is P equal to NP?",
        "Why is there something rather than nothing?",
        "Does free will exist?",
        "Is randomness real?",
        "¿Puede una máquina tener conciencia?",
        "机器能有意识吗？",
    ],
)
def test_a_short_question_can_be_the_hardest(prompt):
    assert tier(prompt) == "FRONTIER"


@pytest.mark.parametrize(
    ("plain", "dressed"),
    [
        (
            "Tell me what the capital of Chile is.",
            "Hi! I hope you are well, could you please tell me what the capital of Chile is?",
        ),
        (
            "Write a Python script that finds broken links.",
            "Hello! I hope all is well. Would you write a Python script that finds broken links?",
        ),
        (
            "Prove that the square root of 3 is irrational.",
            "prvoe that the squre root of 3 is irational",
        ),
        ("Write a long essay about trade.", "wirte a long esay about trade"),
        ("Explain what a VPN is.", "EXPLAIN WHAT A VPN IS."),
    ],
)
def test_politeness_slips_and_capitals_change_nothing(plain, dressed):
    assert tier(plain) == tier(dressed)


@pytest.mark.parametrize(
    ("expected", "prompts"),
    [
        ("SIMPLE", ["Wer schrieb Faust?", "¿Quién escribió Rayuela?", "Qui a écrit Nana ?"]),
        ("MEDIUM", ["Fasse den Text zusammen.", "Resume el texto.", "Résume le texte."]),
        ("COMPLEX", ["Vergleiche Rom und Athen.", "Analiza la crisis.", "Évalue ce projet."]),
        ("FRONTIER", ["Beweise den Satz.", "Demuestra el teorema.", "Démontre le théorème."]),
        ("SIMPLE", ["भारत की राजधानी क्या है?", "日本的首都是哪里？"]),
        ("COMPLEX", ["कारणों का विश्लेषण कीजिए।", "分析战争的原因。"]),
        ("FRONTIER", ["सिद्ध कीजिए कि यह सत्य है।", "证明这个定理。"]),
    ],
)
def test_the_same_task_goes_to_the_same_tier_in_other_languages(expected, prompts):
    assert [expected] * len(prompts) == [tier(prompt) for prompt in prompts]


@pytest.mark.parametrize(
    "prompt",
    [
        "Design a lottery such that nobody gains by lying, or show that there is none.",
        "Entwirf eine Lotterie, bei der Lügen nie lohnt, oder zeige, dass es keine gibt.",
        "Conçois une loterie où mentir ne paie jamais, ou démontre que c'est impossible.",
        "Diseña una lotería en la que mentir nunca convenga, o demuestra que es imposible.",
        "ऐसी लॉटरी की रचना कीजिए जिसमें झूठ से लाभ न हो, या सिद्ध कीजिए कि यह असंभव है।",
        "设计一种说谎永远无利可图的抽签办法，或者证明它不存在。",
        "Reconcile the conflicting studies of coffee and sleep.",
        "Bringe die widersprüchlichen Studien über Kaffee in Einklang.",
        "Plan and carry out an audit of our code without asking back.",
    ],
)
def test_what_may_be_impossible_or_must_be_reconciled_or_done_alone_is_the_hardest(prompt):
    assert tier(prompt) == "FRONTIER"


@pytest.mark.parametrize(
    "prompt", ["设计这座桥的工程师叫什么？", "分析师的工资是多少？", "计算机是谁发明的？"]
)
def test_a_chinese_verb_inside_a_noun_or_a_description_is_no_task(prompt):
    assert tier(prompt) == "SIMPLE"


def test_the_length_that_is_asked_for_decides_about_a_text():
    assert tier("Write a tale of 120 words.") == "MEDIUM"
    assert tier("Write a tale of 1,500 words.") == "COMPLEX"


def test_a_table_is_no_instruction():
    table = "| city | design |\n|---|---|\n| Orlen | research |\n| Vey | proof |"

    assert tier(f"{table}\n\nWhich city is listed first?") == "SIMPLE"


def test_trivial_code_is_cheaper_than_real_code():
    trivial = RULES.score("Fix the typo in this line: pritn('hello')")
    real = RULES.score("Implement Dijkstra's algorithm in Go with a binary heap.")

    assert trivial < 0.25
    assert real > 0.5


@pytest.mark.parametrize("row", ROWS[::7], ids=lambda row: row["prompt"][:30])
def test_every_signal_points_at_its_text(row):
    prompt = row["prompt"]

    for signal_ in RULES.classify(prompt, FOUR).signals:
        assert prompt[signal_.start : signal_.end] == signal_.text
        assert signal_.text


def test_a_signal_in_the_tail_of_a_long_prompt_points_at_its_text():
    prompt = "word " * REACH + "\n\nProve that there are infinitely many primes."
    signals = RULES.classify(prompt, FOUR).signals

    assert "Prove" in {s.text for s in signals}
    assert all(prompt[s.start : s.end] == s.text for s in signals)


def test_a_capital_whose_small_form_is_longer_does_not_shift_the_offsets():
    prompt = "İİİİ. Summarise the text."
    (signal_,) = RULES.classify(prompt, FOUR).signals

    assert ("Summarise", prompt.index("Summarise")) == (signal_.text, signal_.start)


def test_the_reason_is_one_line_that_names_the_cue_and_the_length():
    decision = RULES.classify("What is the capital of France?", FOUR)

    assert decision.reason == 'starts with "What is", one short question'


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("Explain", 'starts with "Explain", one word'),
        ("???", "no words"),
        ("Écris un petit mot", 'starts with "Écris", 4 words'),
        (
            "Which one is right, and why, without guessing and without help?",
            'contains "why" and "without", one short question',
        ),
    ],
)
def test_a_reason_has_whole_words_each_of_them_once(prompt, reason):
    assert RULES.classify(prompt, FOUR).reason == reason


def test_the_reason_says_how_much_of_a_paste_was_read():
    reason = RULES.classify(f"Who was in the chair?\n\n{PASTE}", FOUR).reason

    assert "asked in 5 of 86 words" in reason


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("only",), ["only"] * 4),
        (("cheap", "dear"), ["cheap", "cheap", "dear", "dear"]),
        (("fast", "mid", "power"), ["fast", "mid", "mid", "power"]),
        (BANDS, list(BANDS)),
        (tuple("abcdefgh"), ["a", "c", "e", "h"]),
    ],
)
def test_the_score_is_mapped_to_a_ladder_of_any_size(names, expected):
    prompts = [
        "Spell 'tree'",
        "Summarise the plot of Emma.",
        "Write a Python function that merges two files.",
        "Prove that there are infinitely many primes.",
    ]

    assert expected == [RULES.classify(prompt, ladder(*names)).tier for prompt in prompts]


def test_no_tier_gets_more_than_four_fifths_of_our_prompts():
    counts = Counter(tier(row["prompt"]) for row in ROWS)

    assert set(BANDS) == set(counts)
    assert max(counts.values()) <= 0.4 * len(ROWS)


@pytest.mark.parametrize("half", ["tuned", "held"])
def test_four_in_five_of_our_prompts_go_where_they_should(half):
    assert accuracy([row for row in ROWS if row["half"] == half]) > 0.8


@pytest.mark.parametrize("category", sorted({row["category"] for row in ROWS}))
def test_no_kind_of_prompt_is_left_to_chance(category):
    assert accuracy([row for row in ROWS if row["category"] == category]) > 0.65


def test_the_rules_are_right_more_often_where_they_say_that_they_are_sure():
    decided = [(RULES.classify(row["prompt"], FOUR), row["tier"]) for row in ROWS]
    sure = [d.tier == wanted for d, wanted in decided if d.confidence >= 0.7]
    unsure = [d.tier == wanted for d, wanted in decided if d.confidence < 0.7]

    assert len(unsure) > 50
    assert sum(unsure) / len(unsure) + 0.05 < sum(sure) / len(sure)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_no_text_breaks_the_rules(prompt):
    decision = RULES.classify(prompt, FOUR)

    assert decision.tier in BANDS
    assert 0 <= decision.confidence <= 1
    assert all(prompt[s.start : s.end] == s.text for s in decision.signals)
    assert decision == RULES.classify(prompt, FOUR)


PIECES = [
    "please ",
    "What is ",
    "prove ",
    "'",
    '"',
    '"""',
    "```",
    "\n",
    "\n\n",
    ", ",
    "|",
    "=  ",
    "a.b",
]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*PIECES, "1,2,3", "证明", "क्या ", "\x00", "\ud800", "{", ";", "«"]))
)
def test_no_mixture_of_marks_breaks_the_rules(pieces):
    prompt = "".join(pieces)
    decision = RULES.classify(prompt, FOUR)

    assert all(prompt[s.start : s.end] == s.text for s in decision.signals)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        " ",
        "\n",
        "please ",
        "i hope ",
        '"',
        "'",
        "`",
        "a,",
        "a.",
        "{ ",
        "= \t",
        "ly ",
        "what ",
        "1 ",
    ],
)
def test_a_megabyte_of_anything_does_not_hang(piece):
    signal.alarm(5)
    try:
        assert tier(piece * (1_000_000 // len(piece))) in BANDS
    finally:
        signal.alarm(0)


def test_empty_and_blank_prompts_are_simple():
    assert ["SIMPLE"] * 3 == [tier(prompt) for prompt in ("", " \n\t ", "\x00")]


def test_the_instruction_is_found_between_greeting_and_thanks():
    asked = instruction("Hello, I hope you are well. Please sort these words. Many thanks, Jo")

    assert [asked.text[start:end] for start, end in asked.spans] == ["sort these words."]


def test_more_than_half_of_the_blind_prompts_go_where_they_should():
    blind = Path(__file__).parent / "data" / "blind_prompts.jsonl"
    rows = [json.loads(line) for line in blind.read_text(encoding="utf-8").splitlines()]

    assert accuracy(rows) > 0.5


def test_the_reason_does_not_depend_on_how_python_hashes_words():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_rules import FOUR, ROWS, RULES\n"
        "print([RULES.classify(row['prompt'], FOUR).reason for row in ROWS])"
    )
    here = str(Path(__file__).parent)

    told = {
        subprocess.run(
            [sys.executable, "-c", code, here],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    }

    assert 1 == len(told)
