"""The languages of code in a picture: what their grammars call things. Names of nodes are those of tree-sitter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from omnidetective.embedded.code_signs import SIGNS


@dataclass(frozen=True, slots=True)
class CodeLanguage:
    """One language.

    Attributes:
        name: as people write it.
        module: the package of its grammar; ``factory`` is the function in it.
        signs: patterns of its lines.
        extends: the name of the language that all of which is also of this one, which then needs signs of its own.
        definitions: by type of node, what it defines: a function, a class …
        imports: types of nodes that name what is imported.
        comments: types of nodes that are comments.
        endings: of the names of its files.
    """

    name: str
    module: str
    signs: tuple[re.Pattern[str], ...]
    endings: tuple[str, ...]
    factory: str = "language"
    extends: str | None = None
    definitions: Mapping[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    comments: tuple[str, ...] = ("comment",)


_JAVASCRIPT_DEFINITIONS = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "class_declaration": "class",
    "method_definition": "method",
}

LANGUAGES: tuple[CodeLanguage, ...] = (
    CodeLanguage(
        "Python",
        "tree_sitter_python",
        SIGNS["Python"],
        (".py", ".pyi"),
        definitions={"function_definition": "function", "class_definition": "class"},
        imports=("import_statement", "import_from_statement"),
    ),
    CodeLanguage(
        "JavaScript",
        "tree_sitter_javascript",
        SIGNS["JavaScript"],
        (".js", ".jsx", ".mjs", ".cjs"),
        definitions=_JAVASCRIPT_DEFINITIONS,
        imports=("import_statement",),
    ),
    CodeLanguage(
        "TypeScript",
        "tree_sitter_typescript",
        SIGNS["TypeScript"],
        (".ts", ".tsx"),
        factory="language_typescript",
        extends="JavaScript",
        definitions=_JAVASCRIPT_DEFINITIONS
        | {
            "interface_declaration": "interface",
            "type_alias_declaration": "type",
            "enum_declaration": "enum",
            "abstract_class_declaration": "class",
        },
        imports=("import_statement",),
    ),
    CodeLanguage(
        "Java",
        "tree_sitter_java",
        SIGNS["Java"],
        (".java",),
        definitions={
            "class_declaration": "class",
            "interface_declaration": "interface",
            "enum_declaration": "enum",
            "record_declaration": "class",
            "method_declaration": "method",
        },
        imports=("import_declaration",),
        comments=("line_comment", "block_comment"),
    ),
    CodeLanguage(
        "C",
        "tree_sitter_c",
        SIGNS["C"],
        (".c", ".h"),
        definitions={
            "function_definition": "function",
            "struct_specifier": "struct",
            "enum_specifier": "enum",
            "type_definition": "type",
        },
        imports=("preproc_include",),
    ),
    CodeLanguage(
        "C++",
        "tree_sitter_cpp",
        SIGNS["C++"],
        (".cpp", ".cc", ".cxx", ".hpp"),
        extends="C",
        definitions={
            "function_definition": "function",
            "class_specifier": "class",
            "struct_specifier": "struct",
            "enum_specifier": "enum",
            "namespace_definition": "namespace",
        },
        imports=("preproc_include",),
    ),
    CodeLanguage(
        "C#",
        "tree_sitter_c_sharp",
        SIGNS["C#"],
        (".cs",),
        definitions={
            "class_declaration": "class",
            "interface_declaration": "interface",
            "struct_declaration": "struct",
            "record_declaration": "class",
            "enum_declaration": "enum",
            "method_declaration": "method",
        },
        imports=("using_directive",),
    ),
    CodeLanguage(
        "Go",
        "tree_sitter_go",
        SIGNS["Go"],
        (".go",),
        definitions={"function_declaration": "function", "method_declaration": "method", "type_spec": "type"},
        imports=("import_spec",),
    ),
    CodeLanguage(
        "Rust",
        "tree_sitter_rust",
        SIGNS["Rust"],
        (".rs",),
        definitions={
            "function_item": "function",
            "struct_item": "struct",
            "enum_item": "enum",
            "trait_item": "trait",
            "mod_item": "module",
            "type_item": "type",
        },
        imports=("use_declaration",),
        comments=("line_comment", "block_comment"),
    ),
    CodeLanguage(
        "Ruby",
        "tree_sitter_ruby",
        SIGNS["Ruby"],
        (".rb",),
        definitions={"method": "method", "singleton_method": "method", "class": "class", "module": "module"},
        imports=("call",),
    ),
    CodeLanguage(
        "PHP",
        "tree_sitter_php",
        SIGNS["PHP"],
        (".php",),
        factory="language_php",
        definitions={
            "function_definition": "function",
            "class_declaration": "class",
            "interface_declaration": "interface",
            "trait_declaration": "trait",
            "method_declaration": "method",
        },
        imports=("namespace_use_clause",),
    ),
    CodeLanguage(
        "Bash",
        "tree_sitter_bash",
        SIGNS["Bash"],
        (".sh", ".bash", ".zsh"),
        definitions={"function_definition": "function"},
    ),
    CodeLanguage(
        "SQL",
        "tree_sitter_sql",
        SIGNS["SQL"],
        (".sql",),
        definitions={"create_table": "table", "create_view": "view", "create_function": "function"},
        comments=("comment", "marginalia"),
    ),
    CodeLanguage(
        "JSON",
        "tree_sitter_json",
        SIGNS["JSON"],
        (".json",),
    ),
    CodeLanguage(
        "HTML",
        "tree_sitter_html",
        SIGNS["HTML"],
        (".html", ".htm"),
    ),
    CodeLanguage(
        "CSS",
        "tree_sitter_css",
        SIGNS["CSS"],
        (".css", ".scss"),
    ),
)
"""All languages that are told apart, whether their grammar is installed or not."""

BY_NAME: Mapping[str, CodeLanguage] = {language.name: language for language in LANGUAGES}
