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
