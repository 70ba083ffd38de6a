"""A cell that is run again with another prompt: its versions side by side."""

from __future__ import annotations

from cells import desk_of, run

LEAVES = "Explain why leaves change their colour in autumn."


def test_versions_are_listed_and_shown_with_their_costs_in_one_unit(shell):
    run(shell, f"%%route -t MEDIUM\n{LEAVES}")
    run(shell, f"%%route -t SIMPLE\n{LEAVES} Be brief.")  # under a hundredth of a cent

    table = run(shell, "%route versions")[1].result
    page = desk_of(shell).panel("versions", desk_of(shell).card(2))

    assert [("v1", "MEDIUM"), ("v2", "SIMPLE")] == [(row[0], row[2]) for row in table.rows]
    assert all(row[3].startswith("$0.00") and "calls" not in row[3] for row in table.rows)
    assert [False, True] == ["<mark" in version for version in page.split(">v2<")]
    assert "per 100k calls" not in page


def test_a_change_at_the_end_of_a_long_prompt_is_in_sight(shell):
    asked = "Who needs help first, Ann with no password, Bob with no shop or Cy? "
    for end in ("Explain.", "Give one name.", "Give one name."):
        run(shell, f"%%route -t SIMPLE --no-cache\n{asked}{end}")

    prompts = [row[5] for row in run(shell, "%route versions")[1].result.rows]

    assert prompts[0].startswith("Who needs help first")
    assert prompts[1].startswith("... ")
    assert prompts[1].endswith("Cy? Give one name.")
    assert prompts[2].startswith("Who needs help first")
