"""A step of bin/lint: SQL in src that the next change of a table would break.

Rows go into columns that are named: a column that an upgrade adds takes its default, in statements of the version
before too. What is inserted, and what Python reads, is named for the same reason: ``*`` grows.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_INTO = r'\bINSERT\s+INTO\s+([\w."%{}]+)(?:\s+AS\s+\w+)?\s*'
_NO_COLUMNS = re.compile(rf"{_INTO}\b(?:VALUES|SELECT|WITH|DEFAULT|OVERRIDING|TABLE)\b", re.IGNORECASE)
_STAR_WRITTEN = re.compile(rf"{_INTO}\([^)]*\)\s*SELECT\s+(?:\w+\.)?\*", re.IGNORECASE)
_STAR_READ = re.compile(r"\bSELECT\s+(?:DISTINCT\s+)?(?:\w+\.)?\*\s+FROM\s+([\w.{}]+)", re.IGNORECASE)


def faults_of_sql(sql: str, *, read_by_python: bool = False) -> list[str]:
    """Sentences about one statement or a file of them; empty when all is well."""
    text = re.sub(r"--[^\n]*", "", sql)
    found = [f"INSERT INTO {table} names no columns" for table in _NO_COLUMNS.findall(text)]
    found += [f"INSERT INTO {table} takes SELECT *: name its columns" for table in _STAR_WRITTEN.findall(text)]
    if read_by_python:
        found += [f"SELECT * FROM {table}: name the columns that are read" for table in _STAR_READ.findall(text)]
    return found


def strings_of(source: str) -> list[str]:
    """The strings of a Python source, each whole: what is put in at run time stands as ``{x}``."""
    tree = ast.parse(source)
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    pieces = {id(piece) for node in formatted for piece in node.values}
    whole = ["".join(str(piece.value) if isinstance(piece, ast.Constant) else "{x}" for piece in node.values)
             for node in formatted]  # fmt: skip
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in pieces]
    return whole + [node.value for node in plain if isinstance(node.value, str)]


def faults() -> list[str]:
    """Every fault in src, after its file."""
    found = []
    for file in sorted((ROOT / "src").glob("**/*.sql")):
        found += [f"{file.relative_to(ROOT)}: {fault}" for fault in faults_of_sql(file.read_text())]
    for file in sorted((ROOT / "src").glob("**/*.py")):
        for text in strings_of(file.read_text()):
            found += [f"{file.relative_to(ROOT)}: {fault}" for fault in faults_of_sql(text, read_by_python=True)]
    return found


if __name__ == "__main__":
    said = faults()
    print("\n".join(said))
    sys.exit(1 if said else 0)
