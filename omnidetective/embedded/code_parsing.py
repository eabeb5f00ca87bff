"""Code as a parser understands it: what it defines and imports, and which lines make no sense. By tree-sitter.

Nothing is run: a parser only reads.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnidetective.embedded.code_languages import BY_NAME, LANGUAGES, CodeLanguage
from omnidetective.embedded.inference import load_once
from omnidetective.page_evidence import Definition

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree

PACKAGES = ("tree_sitter", "tree_sitter_python")
"""The parser, and one grammar for all: where it is, the others of its extra are."""

_MOST_NODES = 400_000
_MOST_NAMED = 200
_MOST_NAME_CHARS = 120
_IDENTIFIERS = frozenset(
    {"identifier", "type_identifier", "field_identifier", "property_identifier", "constant", "name", "word",
     "object_reference", "namespace_identifier", "nested_namespace_specifier", "destructor_name", "operator_name",
     "qualified_identifier", "scope_resolution", "private_property_identifier"}
)  # fmt: skip
_MODULES = frozenset(
    {"dotted_name", "string", "system_lib_string", "string_literal", "interpreted_string_literal", "scoped_identifier",
     "qualified_name", "relative_import", "identifier", "scoped_use_list", "use_wildcard", "use_as_clause", "name",
     "aliased_import", "raw_string_literal"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParsedCode:
    """What a parser of one language makes of a text.

    Attributes:
        broken_lines: lines with something that the language does not allow, from 1.
        lines: how many lines are not empty.
    """

    definitions: tuple[Definition, ...]
    imports: tuple[str, ...]
    comments: int
    broken_lines: tuple[int, ...]
    lines: int

    @property
    def clean(self) -> float:
        """Share of the lines that make sense, 0…1."""
        return 1.0 - len(self.broken_lines) / max(1, self.lines)


def installed() -> frozenset[str]:
    """The names of the languages whose grammar is installed."""
    return frozenset(language.name for language in LANGUAGES if importlib.util.find_spec(language.module) is not None)


def parse(text: str, language: CodeLanguage) -> ParsedCode:
    """The code as a parser of this language reads it. Blocking, for milliseconds."""
    from tree_sitter import Parser

    factory = language.factory
    if language.name == "PHP" and "<?" not in text:
        factory = "language_php_only"  # Else all of it would be the text of a page.
    tree = Parser(_grammar(language.module, factory)).parse(text.encode())
    return _read(tree, language, text)


def _grammar(module: str, factory: str) -> Language:
    from tree_sitter import Language

    return load_once((module, factory), lambda: Language(getattr(importlib.import_module(module), factory)()))


def _read(tree: Tree, language: CodeLanguage, text: str) -> ParsedCode:
    definitions: list[Definition] = []
    imports: dict[str, None] = {}
    comments = 0
    broken: set[int] = set()
    for node in _nodes(tree):
        line = node.start_point[0] + 1
        if node.is_missing:
            broken.add(line)
        elif node.is_error:
            broken |= _lines_in_error(node)
        elif node.type in language.comments:
            comments += 1
        elif node.type in language.definitions and len(definitions) < _MOST_NAMED:
            if (name := _name(node)) and (node.type != "type_spec" or name):
                definitions.append(Definition(kind=_kind(node, language), name=name, line=line))
        elif node.type in language.imports and len(imports) < _MOST_NAMED:
            imports |= dict.fromkeys(_imported(node))
        elif node.type == "variable_declarator" and language.name in ("JavaScript", "TypeScript"):
            value, named = node.child_by_field_name("value"), node.child_by_field_name("name")
            if value is not None and named is not None and value.type in ("arrow_function", "function_expression"):
                definitions.append(Definition(kind="function", name=_text(named), line=line))
    lines = text.split("\n")
    filled = {n for n, content in enumerate(lines, 1) if content.strip()}
    return ParsedCode(
        tuple(sorted(definitions, key=lambda found: found.line)),
        tuple(imports),
        comments,
        tuple(sorted(broken & filled)),
        len(filled),
    )


def _nodes(tree: Tree) -> Iterator[Node]:
    """All nodes, from the top; of a text without end, the first ones."""
    todo = [tree.root_node]
    for _ in range(_MOST_NODES):
        if not todo:
            return
        node = todo.pop()
        yield node
        todo += reversed(node.children)


def _lines_in_error(node: Node) -> set[int]:
    """The lines of what stands in an error itself: whole parts within it that make sense are none."""
    loose = [child for child in node.children if not child.is_named or child.child_count == 0]
    if not loose:
        return {node.start_point[0] + 1}
    return {child.start_point[0] + 1 for child in loose}


def _kind(node: Node, language: CodeLanguage) -> str:
    """What it is; a function that stands in a class is a method."""
    kind = language.definitions[node.type]
    above = node.parent
    while kind == "function" and above is not None:
        if language.definitions.get(above.type) in ("class", "struct") or above.type in ("impl_item", "trait_item"):
            return "method"
        if above.type == node.type:
            break
        above = above.parent
    return kind


def _name(node: Node) -> str:
    if node.type in ("struct_specifier", "enum_specifier", "class_specifier") and not node.child_by_field_name("body"):
        return ""  # It is used here, and defined elsewhere.
    named = node.child_by_field_name("name")
    if named is not None:
        return _text(named)
    declared = node.child_by_field_name("declarator") or node
    for _ in range(8):  # A pointer to a function has its name some way down.
        if declared.type in _IDENTIFIERS:
            return _text(declared)
        inner = declared.child_by_field_name("declarator")
        if inner is None:
            inner = next((child for child in declared.named_children if child.type in _IDENTIFIERS), None)
        if inner is None:
            return ""
        declared = inner
    return ""


def _imported(node: Node) -> Iterator[str]:
    if node.type == "call":  # Of Ruby: `require "json"`.
        called, given = node.child_by_field_name("method"), node.child_by_field_name("arguments")
        if called is not None and given is not None and _text(called) in ("require", "require_relative"):
            yield from (_bare(_text(child)) for child in given.named_children[:1])
        return
    for field in ("module_name", "source", "path", "argument"):
        if (module := node.child_by_field_name(field)) is not None:
            yield _bare(_text(module))
            return
    for child in node.named_children:
        if child.type in _MODULES:
            inner = child.child_by_field_name("name") if child.type == "aliased_import" else None
            yield _bare(_text(inner or child))
            if node.type != "import_statement":
                return


def _bare(name: str) -> str:
    return name.strip("\"'`<>; ")


def _text(node: Node) -> str:
    return " ".join((node.text or b"").decode(errors="replace").split())[:_MOST_NAME_CHARS]


def language_of_file(name: str | None) -> str | None:
    """Which language a file of this name is in, as far as its ending says."""
    for language in BY_NAME.values():
        if name is not None and name.lower().endswith(language.endings):
            return language.name
    return None
