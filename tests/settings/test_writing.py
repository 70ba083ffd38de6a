"""The settings in force as a file: what is written loads to the same ladder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbroute.errors import SettingsError
from nbroute.settings import load
from nbroute.settings.profiles import BUILT_IN
from nbroute.settings.writing import text_of, write

OWN = """
[providers."a box"]
base_url = "https://box:9000/v1"
billed = false
timeout_s = 5
[nbroute]
classifier = "model"
classifier_provider = "openai"
classifier_model = "gpt-4o-mini"
classifier_threshold = 0.25
step_up_below = 0.5
default_tier = "large"
baseline = "small \\u007f"
[tiers."small \\u007f"]
provider = "a box"
model = "tiny"
fallbacks = ["n", { provider = "openai", model = "m", price = { input = 1, output = 2 } }]
price = { input = 0.000001, output = 0.60, cached_input = 0.075 }
context = 4096
[tiers.large]
provider = "openai"
model = "huge"
max_tokens = 100
reference = "openai:gpt-4o"
system = "Be brief.\\nBe \\"kind\\"."
description = "Hard questions."
effort = "high"
"""
SAME = ("ladder", "baseline", "classifier")


@pytest.mark.parametrize("given", [*BUILT_IN, OWN], ids=[*BUILT_IN, "own"])
def test_what_is_written_loads_to_the_same_settings(tmp_path, given):
    file = tmp_path / "nbroute.toml"
    if given == OWN:
        file.write_text(OWN)
        settings = load(file)
    else:
        settings = load(profile=given)

    write(file, text_of(settings, settings.ladder), force=True)

    again = load(file)
    assert [getattr(settings, name) for name in SAME] == [getattr(again, name) for name in SAME]
    assert {replace(one, api_key=None) for one in settings.providers} <= {
        replace(one, api_key=None) for one in again.providers
    }


def test_a_file_is_written_over_only_with_force_and_a_folder_that_is_missing_is_said(tmp_path):
    file = tmp_path / "nbroute.toml"
    write(file, "# mine\n", force=False)

    with pytest.raises(SettingsError, match="exists already; `%route init --force` overwrites it"):
        write(file, "# yours\n", force=False)
    with pytest.raises(SettingsError, match=r"cannot write .*: No such file"):
        write(tmp_path / "no" / "nbroute.toml", "", force=True)

    assert "# mine\n" == file.read_text()
