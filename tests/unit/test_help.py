import pytest
from click.testing import CliRunner, Result

from shoal.producer.cli.main import main


def run(*words: str, columns: int = 80) -> Result:
    return CliRunner().invoke(main, words, prog_name="shoal", terminal_width=columns)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_list_of_commands_has_their_whole_first_sentences(columns: int) -> None:
    listed = " ".join(run("--help", columns=columns).output.split())
    assert "..." not in listed.replace("[ARGS]...", "")
    for name, command in main.commands.items():
        first = " ".join((command.help or "").split(". ")[0].split("\n\n")[0].split())
        assert f"{name} {first.rstrip('.')}." in listed


def test_help_is_a_command_as_well_as_an_option() -> None:
    assert run("help").output == run("--help").output
    assert run("help", "jobs").output == run("jobs", "--help").output
    unknown = run("help", "nothing")
    assert (unknown.exit_code, "No such command 'nothing'" in unknown.output) == (2, True)


def test_the_version_has_a_short_option() -> None:
    assert run("-V").output == run("--version").output


def test_a_shell_can_ask_how_a_word_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SHOAL_COMPLETE", "bash_complete")
    for words, expected in (("shoal jo", "plain,jobs"), ("shoal run --clu", "plain,--clusters")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert run().output.strip() == expected
