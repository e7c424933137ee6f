"""`gossamer completion`: scripts with which bash, zsh and fish complete commands, made from what the help says."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gossamer.cli.arguments import choose
from gossamer.cli.main import VERBS
from gossamer.errors import InputError

SHELLS: Final = {
    "bash": "gossamer completion bash > ~/.gossamer.bash && echo 'source ~/.gossamer.bash' >> ~/.bashrc",
    "zsh": "gossamer completion zsh > ~/.gossamer.zsh && echo 'source ~/.gossamer.zsh' >> ~/.zshrc",
    "fish": "gossamer completion fish > ~/.config/fish/completions/gossamer.fish",
}
"""Each with the line that installs its script for good; a new terminal then knows it."""

_OPTION: Final = re.compile(r"^  (?:-h, )?(?P<flag>--[\w.-]+)(?: (?P<metavar>\S+))?")
_CHOICES: Final = re.compile(r"^\{(?P<choices>[\w,-]+)\}$")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command up to its options, and what may follow.

    Attributes:
        words: ``("train", "gs-wgan")``.
        flags: options, each with what stands for its value in the help; empty for one that takes none.
    """

    words: tuple[str, ...]
    flags: dict[str, str]

    @property
    def name(self) -> str:
        """As it is typed."""
        return " ".join(self.words)

    @property
    def closed(self) -> dict[str, tuple[str, ...]]:
        """Options that take one of a few words, or a number: then there is nothing to choose from."""
        found = {flag: _CHOICES.match(metavar) for flag, metavar in self.flags.items()}
        words = {flag: tuple(one["choices"].split(",")) for flag, one in found.items() if one is not None}
        return words | {flag: () for flag, metavar in self.flags.items() if metavar.startswith(("INT", "FLOAT"))}

    @property
    def open(self) -> dict[str, tuple[str, ...]]:
        """Options that take a name or a path, with the names."""
        from gossamer.methods.catalogue import BOOKS

        names = {"--data": named_data()}
        if self.words[0] == "train":
            book = next(book for book in BOOKS if book.method.name == self.words[1])
            names["--recipe"] = tuple(recipe.name for recipe in book.recipes)
        return {flag: words for flag, words in names.items() if flag in self.flags}


def named_data() -> tuple[str, ...]:
    """Names of published data sets."""
    from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES

    return tuple(data.name for data in (*NAMED_DATA, *NAMED_SERIES))


def run(arguments: Sequence[str]) -> int:
    """Print a script for one shell, and on standard error how to install it."""
    shell, rest = choose(arguments, SHELLS, program="completion", what="shell")
    if {"-h", "--help"} & set(rest):
        print(f"usage: gossamer completion {shell}\n\nPrints a script. For good, and then open a new terminal:")
        print(f"  $ {SHELLS[shell]}")
        return 0
    if rest:
        raise InputError(f"completion {shell} takes no further words; for good: {SHELLS[shell]}")
    calls = tuple(read_calls())
    print(f"# Completion of gossamer for {shell}. For good: {SHELLS[shell]}")
    print(script(shell, calls))
    if sys.stdout.isatty():
        print(f"gossamer: to install it for good: {SHELLS[shell]}", file=sys.stderr)
    return 0


def script(shell: str, calls: Sequence[Call]) -> str:
    """What a shell, one of `SHELLS`, reads to complete these commands."""
    return _fish(calls) if shell == "fish" else _bash(calls, shell)


def read_calls() -> list[Call]:
    """Every command with its options, as their help tells them."""
    calls = []
    for verb in VERBS:
        said = _help(verb)
        seconds = re.search(r"^usage: gossamer \S+ \{(.+)\} \.\.\.$", said, re.MULTILINE)
        if seconds is None:
            calls.append(Call(words=(verb,), flags=_flags(said)))
            continue
        for second in seconds.group(1).split(","):
            flags = {} if verb == "completion" else _flags(_help(verb, second))
            calls.append(Call(words=(verb, second), flags=flags))
    return calls


def _help(verb: str, *words: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        importlib.import_module(f"gossamer.cli.{verb}").run([*words, "--help"])
    return said.getvalue()


def _flags(said: str) -> dict[str, str]:
    found = [_OPTION.match(line) for line in said.splitlines()]
    return {one["flag"]: one["metavar"] or "" for one in found if one is not None}


def _bash(calls: Sequence[Call], shell: str) -> str:
    seconds: dict[str, list[str]] = {}
    for call in calls:
        seconds.setdefault(call.words[0], []).extend(call.words[1:])
    groups = {verb: words for verb, words in seconds.items() if words}
    choices = [f'    {verb}) call="$verb $second"; seconds={_quoted(words)} ;;' for verb, words in groups.items()]
    values, flags = [], []
    for call in calls:
        values += [f"    {_key(call, flag)}) words={_quoted(words)} closed=1 ;;" for flag, words in call.closed.items()]
        values += [f"    {_key(call, flag)}) words={_quoted(words)} ;;" for flag, words in call.open.items()]
        flags.append(f"    '{call.name}') words={_quoted(call.flags)} ;;")
    parts = {
        "VERBS": [_quoted((*VERBS, "help"))],
        "SECONDS": choices,
        "VALUES": values,
        "FLAGS": flags,
        "NAMED": [_quoted(named_data())],
    }
    script = _BASH
    for name, lines in parts.items():
        script = script.replace(f"@{name}@", "\n".join(lines))
    return (_ZSH_FIRST if shell == "zsh" else "") + script.strip()


def _quoted(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))


def _key(call: Call, flag: str) -> str:
    return f"'{call.name} {flag}'"


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
        for flag, metavar in call.flags.items():
            takes = "" if not metavar else " -x" if flag in call.closed else " -r"
            words = call.closed.get(flag) or call.open.get(flag)
            told = f" -a {_quoted(words)}" if words else ""
            lines.append(f"complete -c gossamer -n '{condition}' -l {flag[2:]}{takes}{told}")
    return "\n".join(lines)
