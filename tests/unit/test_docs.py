"""The documentation names what the program has, and nothing that it does not have."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from syncd import hookspecs
from syncd.book.causes import CAUSES, Cause
from syncd.book.wording import REASONS, SAID, STANDS
from syncd.channels import discover
from syncd.cli.syncctl import main as syncctl
from syncd.config.schema import FileTable
from syncd.rules import Event, Position, Reason
from syncd.rules.options import OPTIONS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TOLD = r"(?:: |\(|with |by |^)syncctl ((?:--?)?[a-z][^,;.()`\n]*)"  # in a message, not in prose
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/setup.cfg"))
CLI = (DOCS / "cli.md").read_text("utf-8")
OPERATING = (DOCS / "operating.md").read_text("utf-8")
HOOKS = [
    function
    for name, function in vars(hookspecs.ChannelHooks).items()
    if inspect.isfunction(function) and hasattr(function, f"{hookspecs.PROJECT}_spec")
]


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all commands that do something: ("status",), ("sequence", "define"), ..."""
    if not isinstance(group, click.Group):
        yield path
        return
    if group.invoke_without_command and path:
        yield path
    for name, command in group.commands.items():
        if not command.hidden:
            yield from commands(command, (*path, name))


def command_at(path: tuple[str, ...]) -> click.Command:
    found: click.Command = syncctl
    for name in path:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


def options_of(command: click.Command) -> set[str]:
    options = {"--help"}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            options.update([*parameter.opts, *parameter.secondary_opts])
    return options


def plain(text: str) -> str:
    return " ".join(text.split())


def signature_of(function: object) -> str:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    arguments = [p for p in signature.parameters.values() if p.name != "self"]
    listed = ", ".join(f"{p.name}: {p.annotation}" for p in arguments)
    return f"def {function.__name__}({listed}) -> {signature.return_annotation}"  # type: ignore[attr-defined]


def section_of(page: Path, heading: str) -> str:
    """The text from a heading to the next one of the same or a higher level; empty if absent."""
    lines = page.read_text("utf-8").splitlines()
    starts = [
        number
        for number, line in enumerate(lines)
        if re.fullmatch(rf"#+ `?{re.escape(heading)}`?", line.strip())
    ]
    if not starts:
        return ""
    level = len(lines[starts[0]]) - len(lines[starts[0]].lstrip("#"))
    body = []
    for line in lines[starts[0] + 1 :]:
        if re.match(rf"#{{1,{level}}} ", line):
            break
        body.append(line)
    return "\n".join(body)


def test_there_are_hooks() -> None:
    assert len(HOOKS) >= 7


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_each_hook_stands_in_the_authors_guide(hook: object) -> None:
    guide = (DOCS / "plugin-authors.md").read_text("utf-8")
    assert signature_of(hook) in [plain(line) for line in guide.splitlines()]


@pytest.mark.parametrize("field", hookspecs.Channel.__struct_fields__)
def test_each_field_of_a_channel_is_explained(field: str) -> None:
    assert f"| `{field}` |" in section_of(DOCS / "plugin-authors.md", "What the channel is")


@pytest.mark.parametrize("path", list(commands(syncctl)), ids=" ".join)
def test_each_command_has_a_section(path: tuple[str, ...]) -> None:
    section = section_of(DOCS / "cli.md", f"syncctl {' '.join(path)}")
    assert section.strip(), f"docs/cli.md has no section «syncctl {' '.join(path)}»"
    missing = [
        name
        for name in options_of(command_at(path)) - options_of(syncctl)
        if name.startswith("--") and name not in section
    ]
    assert not missing, f"the section does not name {missing}"


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_each_setting_of_a_channel_is_explained_in_its_readme(plugin: Path) -> None:
    channel = discover()[plugin.name]
    assert channel.description is not None, channel.reason
    readme = (plugin / "README.md").read_text("utf-8")
    missing = [
        name for name in channel.description.settings.model_fields if f"`{name}`" not in readme
    ]
    assert not missing


def shown_commands() -> Iterator[tuple[str, list[str]]]:
    """Each line in a code block, and each inline code, that begins with syncctl."""
    for page in PAGES:
        text = page.read_text("utf-8")
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [line.strip() for block in blocks for line in block.splitlines()]
        lines += re.findall(r"`(syncctl[^`\n]*)`", text)
        for line in lines:
            words = line.removeprefix("$ ").removeprefix("sudo ").split("#")[0].split()
            if words and words[0] == "syncctl":
                yield f"{page.relative_to(ROOT)}: {line}", words[1:]


def problem_of(words: list[str]) -> str:
    """Why ``syncctl`` with these words would be refused; empty if it would not."""
    found: click.Command = syncctl
    words = [word for word in words if not word.startswith(("[", "…", "..."))]
    while words and isinstance(found, click.Group) and not words[0].startswith("-"):
        if words[0] not in found.commands:
            return f"no command {words[0]}"
        found = found.commands[words.pop(0)]
    options = {name: one for one in found.params if isinstance(one, click.Option)
               for name in (*one.opts, *one.secondary_opts)}  # fmt: skip
    values = 0
    while words:
        word = words.pop(0)
        if word.startswith("--") and word != "--help" and word not in options:
            return f"no option {word}"
        if word in options and not options[word].is_flag:
            words = words[1:]
        elif not word.startswith("--"):
            values += 1
    most = [one.nargs for one in found.params if isinstance(one, click.Argument)]
    return "" if -1 in most or values <= sum(most) else f"takes {sum(most)} values, not {values}"


def test_the_docs_show_only_commands_that_exist() -> None:
    shown = list(shown_commands())
    assert len(shown) > 20
    wrong = [f"{where}: {problem_of(words)}" for where, words in shown if problem_of(words)]
    assert not wrong, "\n".join(wrong)


def test_the_orders_of_a_file_reach_the_trigger_without_its_header() -> None:
    piped = re.search(r"^(.*) \| syncctl trigger shop --order -", CLI, re.MULTILINE)
    sample = re.search(r"^order_id,.*?(?=^```)", OPERATING, re.MULTILINE | re.DOTALL)
    assert piped
    assert sample
    command = piped[1].replace("orders.csv", "/dev/stdin")
    done = subprocess.run(
        ["bash", "-c", command], input=sample[0], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["OD1", "OD2"]


def models(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """This model and each model in its fields."""
    if model in seen:
        return
    seen.add(model)
    yield model
    for field in model.model_fields.values():
        for part in parts_of(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from models(part, seen)


def parts_of(annotation: object) -> Iterator[object]:
    yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from parts_of(part)


CONFIG_KEYS = sorted(
    {
        field.alias or name
        for model in models(FileTable, set())
        for name, field in model.model_fields.items()
    }
)


@pytest.mark.parametrize("key", CONFIG_KEYS)
def test_each_config_key_is_explained(key: str) -> None:
    page = (DOCS / "configuration.md").read_text("utf-8")
    assert re.search(rf"`[^`\n]*\b{re.escape(key)}\b[^`\n]*`", page), f"{key} is not explained"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [
        link
        for link in links
        if not link.startswith(("http:", "https:")) and not (page.parent / link).exists()
    ]
    assert not missing


def told_commands() -> Iterator[tuple[str, list[str]]]:
    """Each command that a message of the program tells the reader to type."""
    for path in sorted((ROOT / "syncd").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for text in re.findall(TOLD, text_of(node)):
                words = text.split("  ")[0].split()
                yield f"{path.relative_to(ROOT)}: syncctl {text}", words


def text_of(node: ast.AST) -> str:
    """A text constant, with X for each value that is put into it; empty for other nodes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "X" for part in node.values)
    return ""


def test_messages_tell_only_commands_that_exist() -> None:
    told = list(told_commands())
    assert len(told) > 5
    wrong = [f"{where}: {problem_of(words)}" for where, words in told if problem_of(words)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_told_in_a_sentence(reason: Reason) -> None:
    said = REASONS[reason].means
    assert said.endswith(".")


def test_each_event_and_position_is_told_in_words() -> None:
    assert not [event for event in Event if not SAID.get(event)]
    assert not [position for position in Position if not STANDS.get(position)]


@pytest.mark.parametrize("choice", sorted({option.name for option in OPTIONS}))
def test_each_choice_of_an_exception_is_explained(choice: str) -> None:
    assert f"| `{choice}` |" in section_of(
        DOCS / "operating.md", "When two things cannot both be true"
    )


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_of_a_disagreement_has_words_and_is_explained(cause: Cause) -> None:
    words = CAUSES[cause]
    assert words.means.endswith(".")
    assert words.do
    assert f"`{cause}`" in section_of(DOCS / "operating.md", "Compare the book with the panel")
