"""The languages that code in a picture is told apart by: their signs, and what their grammars call things.

A sign is a pattern that a line of the language has and one of another hardly has; it is a matter of words and marks that
text recognition reads well. Names of nodes are those of the tree-sitter grammars.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


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


def _signs(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


_JAVASCRIPT_DEFINITIONS = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "class_declaration": "class",
    "method_definition": "method",
}
_TYPE = r"(?:string|number|boolean|void|any|unknown|never|null|undefined|[A-Z]\w*(?:<[^>]*>)?)(?:\[\])?"

LANGUAGES: tuple[CodeLanguage, ...] = (
    CodeLanguage(
        "Python",
        "tree_sitter_python",
        _signs(
            r"^(async )?def \w+\s*\(.*(:|,|\()$", r"^from [\w.]+ import\b", r"^import [a-z_][\w.]*( as \w+)?(, [\w.]+)*$",
            r"^class \w+(\(.*\))?:$", r"^(el)?if\b.*[^{;]:$", r"^(else|try|finally):$", r"^except\b.*:$",
            r"^for .+ in .+:$", r"^while .+:$", r"^with .+:$", r"\bself\.\w+", r"^@\w+(\.\w+)*(\(.*\))?$",
            r"^return\b[^;{]*$", r"\b(None|True|False)\b", r"__\w+__", r"^raise \w+", r"\bprint\(.*\)$",
            r"^\"\"\".*", r"\blambda \w+:", r"^assert .+[^;]$", r"^\w+(: [\w\[\], |.]+)? = [^;{]+$",
        ),
        (".py", ".pyi"),
        definitions={"function_definition": "function", "class_definition": "class"},
        imports=("import_statement", "import_from_statement"),
    ),
    CodeLanguage(
        "JavaScript",
        "tree_sitter_javascript",
        _signs(
            r"^(const|let|var) [\w{\[].*=", r"\bfunction\b\s*\*?\s*\w*\s*\(", r"=>", r"[!=]==", r"\bconsole\.\w+\(",
            r"^import .+ from ['\"]", r"^export (default|const|function|class|async)\b", r"\brequire\(['\"]",
            r"\b(await|async) \w", r"\bdocument\.|\bwindow\.", r"\bthis\.\w+", r"^constructor\(", r"\bnew [A-Z]\w*\(",
            r"\bmodule\.exports\b", r"\bundefined\b", r"\$\{\w",
        ),
        (".js", ".jsx", ".mjs", ".cjs"),
        definitions=_JAVASCRIPT_DEFINITIONS,
        imports=("import_statement",),
    ),
    CodeLanguage(
        "TypeScript",
        "tree_sitter_typescript",
        _signs(
            r"^(export )?interface \w+.*\{$", r"^(export )?type \w+(<.*>)? =", rf"[\w)\]?]\s*: {_TYPE}\s*([,;)={{]|$)",
            r"^(private|public|protected|readonly) (readonly )?\w+\s*[:(]", r"^(export )?enum \w+", r"\bas const\b",
            r"^import type\b", r"\bimplements \w+",
        ),
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
        _signs(
            r"^package [\w.]+;$", r"^import (static )?(java|javax|org|com)\b[\w.*]*;$", r"^import [\w.*]+;$",
            r"\bpublic (static |final |abstract )*(class|interface|enum|void|int|String)\b", r"\bSystem\.out\.",
            r"^@(Override|Test|Autowired)\b", r"\b(private|protected) (static |final )*[\w<>\[\]]+ \w+\s*[;=(]",
            r"\bfinal [\w<>]+ \w+", r"\b(extends|implements) \w+", r"\bString\[?\]? \w+", r"\bthrows \w+",
            r"\bnew \w+(<.*>)?\(", r"^for \(\w+(<.*>)? \w+ : ", r"\bboolean \w+", r"\bpublic static void main\b",
        ),
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
        _signs(
            r"^#\s*include\s*[<\"][\w/]+\.h[>\"]", r"^#\s*(define|ifdef|ifndef|endif)\b", r"\bprintf\s*\(",
            r"^(static |extern |const |unsigned )*(int|void|char|float|double|long|size_t) \*?\w+\s*\([^)]*\)?\s*[{;,]?$",
            r"\b(malloc|free|sizeof|scanf|strlen|memcpy)\s*\(", r"^(typedef )?(struct|union|enum)( \w+)? \{$", r"\bchar \*",
            r"\w->\w", r"^for \((int |size_t )?\w+ = ", r"\bNULL\b", r"^(const |static |unsigned )*(int|char|float|double|long|size_t) \*?\w+( = .*|\[.*\].*)?;$",
        ),
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
        _signs(
            r"\bstd::\w+", r"^#\s*include\s*<[a-z_]+>", r"\bcout\s*<<|\bcin\s*>>", r"^template\s*<", r"^using namespace \w+;",
            r"^(public|private|protected):$", r"\bnullptr\b", r"\bauto [&*]?\w+ =", r"^class \w+( final)?( : public \w+)? ?\{?$",
            r"\b\w+::\w+\(", r"\bvirtual\b|\boverride\b", r"\bconst \w+& \w+",
        ),
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
        _signs(
            r"^using (static )?[A-Z][\w.]*;$", r"\{ get; (private |init; ?)?(set; )?\}", r"\bConsole\.\w+\(",
            r"^namespace [A-Z][\w.]*[;{]?$", r"\bpublic (static |async |override |virtual )*(class|string|int|void|bool|Task)\b",
            r"^foreach \(", r"\bstring \w+", r"\bvar \w+ = .*;$", r"\basync Task\b", r"\binternal \w", r"\bList<\w+>",
            r"=> .*;$", r"\bnew \w+(<.*>)?\s*[({]", r"^\[[A-Z]\w+(\(.*\))?\]$", r"\bprivate readonly\b", r"\bout var\b",
        ),
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
        _signs(
            r"^package \w+$", r"^func (\(\w+ \*?\w+\) )?\w+\(.*", r":=", r"^import (\"|\()", r"^type \w+ (struct|interface)\b",
            r"\bfmt\.\w+\(", r"\berr != nil\b", r"\bgo func\(", r"\bdefer \w", r"\bchan \w", r"\bmap\[\w+\]", r"\bfor .*range \w",
            r"\[\]\w+\{?",
        ),
        (".go",),
        definitions={"function_declaration": "function", "method_declaration": "method", "type_spec": "type"},
        imports=("import_spec",),
    ),
    CodeLanguage(
        "Rust",
        "tree_sitter_rust",
        _signs(
            r"^(pub(\(\w+\))? )?(async )?fn \w+", r"\blet (mut )?\w+(: .+)? =", r"^use [\w:{}, *]+;$", r"^impl(<.*>)? \w+",
            r"\b\w+!\(", r"&(mut )?(self|str)\b", r"^(pub )?(struct|enum|trait|mod) \w+", r"^#\[\w+", r"\bmatch \w.*\{$",
            r"\b(Some|Ok|Err|None)\b\(?", r"-> (Result|Option|Self|&?\w+)\b.*\{", r"\.unwrap\(\)", r"\b(i32|u8|u32|u64|usize|f64|Vec<\w)",
            r"\w+::\w+\(", r"=> .*,$",
        ),
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
        _signs(
            r"^def (self\.)?\w+[?!]?(\(.*\))?$", r"^end$", r"^require(_relative)? ['\"]", r"\bdo( \|.*\|)?$", r"@\w+ = ",
            r"^attr_(reader|accessor|writer) :", r"^class [A-Z]\w*( < [\w:]+)?$", r"^module [A-Z]\w*$", r"^puts\b",
            r"\{ \|\w+\| ", r"^(unless|elsif) ", r"\.each\b", r"\bnil\b", r":\w+ => ", r"\.(map|select|new|nil\?)\b",
        ),
        (".rb",),
        definitions={"method": "method", "singleton_method": "method", "class": "class", "module": "module"},
        imports=("call",),
    ),
    CodeLanguage(
        "PHP",
        "tree_sitter_php",
        _signs(
            r"^<\?php", r"\$\w+ = ", r"\$this->\w+", r"^(public |private |protected |static )*function \w+\(", r"\becho\b.*;$",
            r"^use [A-Z]\w*(\\\w+)+;$", r"^namespace [A-Z]\w*(\\\w+)*;$", r"\$\w+->\w+", r"\$_(GET|POST|SESSION|SERVER)\b",
            r"\bforeach \(\$", r"=> \$?\w.*[,\]]$", r"\b(array|string|int) \$\w+",
        ),
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
        _signs(
            r"^#!\s*/(usr/)?bin/(env )?(ba|z)?sh", r"^if \[+ .* \]+; ?then$", r"^(fi|done|esac)$", r"; ?(do|then)$", r"\becho\b [\"'$]",
            r"\"?\$\{?[\w@#]+\}?\"?(\s|$|/)", r"^export [A-Z_]+=", r"^\w+ ?\( ?\) ?\{$", r"^set -[euxo]", r"^(sudo|cd|cp|mv|mkdir|chmod|grep|curl|apt|apt-get|source) ",
            r"\$\(.*\)", r" \| (grep|sed|awk|sort|head|wc|xargs)\b", r"^[A-Z_]+=\S", r"^for \w+ in .*; ?do$", r"^exit \d$",
        ),
        (".sh", ".bash", ".zsh"),
        definitions={"function_definition": "function"},
    ),
    CodeLanguage(
        "SQL",
        "tree_sitter_sql",
        _signs(
            r"(?i)^select\b.*", r"(?i)^(from|join) \w+", r"(?i)^(left|right|inner|outer|full|cross) (outer )?join \w+", r"(?i)^where \w+.*(=|<|>|\bin\b|\blike\b|\bis\b)",
            r"(?i)^(group|order) by\b", r"(?i)^insert into \w+", r"(?i)^create (or replace )?(table|view|index|database)\b",
            r"(?i)^update \w+( set\b.*)?$", r"(?i)^delete from \w+", r"(?i)\b(varchar|integer|primary key|not null|foreign key|references)\b",
            r"(?i)\b(count|sum|avg|max|min)\(.*\)( as \w+)?", r"(?i)^limit \d+", r"(?i)^having\b", r"(?i)^values? ?\(", r"(?i)^(alter|drop) table\b",
            r"(?i)\bon \w+\.\w+ = \w+\.\w+",
        ),
        (".sql",),
        definitions={"create_table": "table", "create_view": "view", "create_function": "function"},
        comments=("comment", "marginalia"),
    ),
    CodeLanguage(
        "JSON",
        "tree_sitter_json",
        _signs(r"^\"[^\"]+\"\s*: ?(\"|\d|-\d|true|false|null|\[|\{)", r"^\"[^\"]+\"\s*: ?\"[^\"]*\",$", r"^[\]}],?$", r"^\{$"),
        (".json",),
    ),
    CodeLanguage(
        "HTML",
        "tree_sitter_html",
        _signs(
            r"(?i)^<!doctype html", r"(?i)</?(html|head|body|div|span|ul|ol|li|table|tr|td|form|input|script|link|meta|style|nav|section)\b[^>]*>?",
            r"(?i)</(p|a|h[1-6]|title|div|span|li|button|label|option)>", r"(?i)<(a|img|p|h[1-6]|button|label|title|input)\b[^>]*>",
            r"\b(class|href|src|id|type|name|content)=\"", r"<!--",
        ),
        (".html", ".htm"),
    ),
    CodeLanguage(
        "CSS",
        "tree_sitter_css",
        _signs(
            r"^(margin|padding|color|background(-color)?|font-[a-z]+|display|width|height|border(-\w+)?|position|top|left|flex[a-z-]*|align-\w+|justify-\w+|text-[a-z]+|max-width|min-width|line-height|overflow|z-index|opacity|gap|transition|cursor)\s*: ?[^;{]+;$",
            r"^[.#][\w-]+([ :>.,].*)?\{$", r"^@(media|import|font-face|keyframes)\b", r"^(body|html|a|p|h[1-6]|ul|li|div|table|img|\*|:root)([ :>.,].*)?\{$",
            r":\s*-?[\d.]+(px|em|rem|%|vh|vw|s)\b.*;$", r"#[0-9a-fA-F]{3,6};$", r"^--[\w-]+:",
        ),
        (".css", ".scss"),
    ),
)  # fmt: skip
"""All languages that are told apart, whether their grammar is installed or not."""

BY_NAME: Mapping[str, CodeLanguage] = {language.name: language for language in LANGUAGES}
