"""A cell that is run again with another prompt: its versions beside one another."""

from __future__ import annotations

from cells import desk_of, run

LEAVES = "Explain why leaves change their colour in autumn."


def two_versions(shell):
    """One on MEDIUM, then a changed prompt on SIMPLE, which costs under a hundredth of a cent."""
    run(shell, f"%%route -t MEDIUM\n{LEAVES}")
    run(shell, f"%%route -t SIMPLE\n{LEAVES} Be brief.")


def test_versions_are_listed_with_their_costs_in_one_unit(shell):
    two_versions(shell)

    table = run(shell, "%route versions")[1].result

    assert ["v1", "v2"] == [row[0] for row in table.rows]
    assert ["MEDIUM", "SIMPLE"] == [row[2] for row in table.rows]
    costs = [row[3] for row in table.rows]
    assert all(cost.startswith("$0.00") and "calls" not in cost for cost in costs), costs


def test_a_change_at_the_end_of_a_long_prompt_is_in_sight(shell):
    asked = "Who needs help first, Ann with no password, Bob with no shop or Cy? "
    for end in ("Explain.", "Give one name.", "Give one name."):
        run(shell, f"%%route -t SIMPLE --no-cache\n{asked}{end}")

    prompts = [row[5] for row in run(shell, "%route versions")[1].result.rows]

    assert prompts[0].startswith("Who needs help first")
    assert prompts[1].startswith("... ")
    assert prompts[1].endswith("Cy? Give one name.")
    assert prompts[2].startswith("Who needs help first")


def test_side_by_side_marks_what_is_new_in_the_prompt_and_keeps_one_unit(shell):
    two_versions(shell)
    desk = desk_of(shell)

    page = desk.panel("versions", desk.card(2))

    assert "<mark" in page.partition(">v2<")[2]
    assert "<mark" not in page.partition(">v2<")[0]
    assert "per 100k calls" not in page
