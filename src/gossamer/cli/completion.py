"""`gossamer completion`: scripts with which bash, zsh and fish complete commands, from the options of the help."""

from __future__ import annotations

import contextlib
import importlib
import io
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gossamer.cli.arguments import choose
from gossamer.cli.help_page import HelpAsked
from gossamer.cli.main import VERBS
from gossamer.cli.options import Setting
from gossamer.errors import InputError

SHELLS: Final = {
    "bash": "gossamer completion bash > ~/.gossamer.bash && echo 'source ~/.gossamer.bash' >> ~/.bashrc",
    "zsh": "gossamer completion zsh > ~/.gossamer.zsh && echo 'source ~/.gossamer.zsh' >> ~/.zshrc",
    "fish": "gossamer completion fish > ~/.config/fish/completions/gossamer.fish",
}
"""Shells, each with the line that installs its script for good. A new terminal then knows it."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command up to its options.

    Attributes:
        words: ``("train", "gs-wgan")``.
        options: all that have a name.
    """

    words: tuple[str, ...]
    options: tuple[Setting, ...]

    @property
    def name(self) -> str:
        """The command as it is typed."""
        return " ".join(self.words)

    def words_for(self, option: Setting) -> tuple[str, ...]:
        """List the words to offer after an option: all that it takes, or the names that it takes beside a path."""
        if option.flag == "--data":
            return named_data()
        if option.flag == "--recipe" and self.words[0] == "train":
            from gossamer.methods.catalogue import METHODS

            return tuple(one.name for method in METHODS if method.name == self.words[1] for one in method.recipes)
        return option.takes.words


def named_data() -> tuple[str, ...]:
    """List the names of published data sets."""
    from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES

    return tuple(data.name for data in (*NAMED_DATA, *NAMED_SERIES))


def run(arguments: Sequence[str]) -> int:
    """Print a script for one shell, and on standard error how to install it."""
    shell, rest = choose(arguments, SHELLS, program="completion", what="shell")
    if {"-h", "--help"} & set(rest):
        told = "Prints a script. For good, and then open a new terminal:"
        raise HelpAsked(f"usage: gossamer completion {shell}\n\n{told}\n  $ {SHELLS[shell]}")
    if rest:
        raise InputError(f"completion {shell} takes no further words; for good: {SHELLS[shell]}")
    calls = tuple(read_calls())
    print(f"# Completion of gossamer for {shell}. For good: {SHELLS[shell]}")
    print(script(shell, calls))
    if sys.stdout.isatty():
        print(f"gossamer: to install it for good: {SHELLS[shell]}", file=sys.stderr)
    return 0


def script(shell: str, calls: Sequence[Call]) -> str:
    """Write the script with which a shell, one of `SHELLS`, completes these commands."""
    return _fish(calls) if shell == "fish" else _bash(calls, shell)


def read_calls() -> list[Call]:
    """List every command with its options, which are those of its help."""
    calls = []
    for verb in VERBS:
        asked = _help(verb)
        for words in [(verb, second) for second in asked.choices] or [(verb,)]:
            options = _options(words)
            calls.append(Call(words=words, options=tuple(option for option in options if option.flag)))
    return calls


def _options(words: tuple[str, ...]) -> Sequence[Setting]:
    """List the options of a command, or those of all its choices if one more word must come."""
    asked = _help(*words)
    if not asked.choices:
        return asked.options
    return tuple({option.flag: option for choice in asked.choices for option in _options((*words, choice))}.values())


def _help(verb: str, *words: str) -> HelpAsked:
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            importlib.import_module(f"gossamer.cli.{verb}").run([*words, "--help"])
        except HelpAsked as asked:
            return asked
    return HelpAsked("")  # of `data list`, which takes no options


def _bash(calls: Sequence[Call], shell: str) -> str:
    seconds: dict[str, list[str]] = {}
    for call in calls:
        seconds.setdefault(call.words[0], []).extend(call.words[1:])
    groups = {verb: words for verb, words in seconds.items() if words}
    values = [_case(call, option) for call in calls for option in call.options if option.takes.metavar]
    parts = {
        "VERBS": [_quoted((*VERBS, "help"))],
        "SECONDS": [f'    {verb}) call="$verb $second"; seconds={_quoted(words)} ;;' for verb, words in groups.items()],
        "VALUES": [case for case in values if case],
        "FLAGS": [f"    '{call.name}') words={_quoted(one.flag for one in call.options)} ;;" for call in calls],
        "NAMED": [_quoted(named_data())],
    }
    script = _BASH
    for name, lines in parts.items():
        script = script.replace(f"@{name}@", "\n".join(lines))
    return (_ZSH_FIRST if shell == "zsh" else "") + script.strip()


def _case(call: Call, option: Setting) -> str:
    """Offer the words after an option, if there are any or if no path can stand there."""
    words, is_open = call.words_for(option), option.takes.is_open
    if is_open and not words:
        return ""
    return f"    '{call.name} {option.flag}') words={_quoted(words)}{'' if is_open else ' closed=1'} ;;"


def _quoted(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))


_ZSH_FIRST: Final = """(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
autoload -Uz +X bashcompinit && bashcompinit
"""
# What can be told comes first, and paths beside it: data and recipes may be files of one's own.
_BASH: Final = r"""
_gossamer() {
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" one
  local verb="${COMP_WORDS[1]}" second="${COMP_WORDS[2]}" call="" words="" seconds="" closed=""
  [ "$prev" = "=" ] && prev="${COMP_WORDS[COMP_CWORD-2]}"
  [ "$cur" = "=" ] && cur=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W @VERBS@ -- "$cur"))
    return
  fi
  case "$verb" in
@SECONDS@
    *) call="$verb" ;;
  esac
  if [ -n "$seconds" ] && [ "$COMP_CWORD" -eq 2 ]; then
    COMPREPLY=($(compgen -W "$seconds" -- "$cur"))
    return
  fi
  case "$call $prev" in
@VALUES@
    'data describe describe') words=@NAMED@ ;;
  esac
  if [ -z "$words$closed" ]; then
    case "$cur" in -*) case "$call" in
@FLAGS@
    esac ;; esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  case "$closed$cur" in 1*|-*) return ;; esac
  compopt -o filenames 2>/dev/null
  while IFS= read -r one; do COMPREPLY+=("$one"); done < <(compgen -f -- "$cur")
}
complete -F _gossamer gossamer
"""


def _fish(calls: Sequence[Call]) -> str:
    lines = [
        f"complete -c gossamer -n __fish_use_subcommand -f -a {verb} -d {shlex.quote(what)}"
        for verb, what in VERBS.items()
    ]
    for call in calls:
        for second in call.words[1:]:
            condition = f"__fish_seen_subcommand_from {call.words[0]}; and test (count (commandline -opc)) -eq 2"
            lines.append(f"complete -c gossamer -n '{condition}' -f -a {second}")
        condition = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in call.words)
        if call.words == ("data", "describe"):
            lines.append(f"complete -c gossamer -n '{condition}' -a {_quoted(named_data())}")
        for option in call.options:
            takes = "" if not option.takes.metavar else " -r" if option.takes.is_open else " -x"
            words = call.words_for(option)
            told = f" -a {_quoted(words)}" if words else ""
            lines.append(f"complete -c gossamer -n '{condition}' -l {option.flag[2:]}{takes}{told}")
    return "\n".join(lines)
