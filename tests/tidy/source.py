"""Source files as the rules see them: text, and the same text with comments and literals blanked.

Blanking keeps every line break and column, so a finding's line number is that of the file.
"""

import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A comment, a raw string, a string, a character. Digit separators (1'000) are not characters.
_TOKEN = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | R"(?P<delimiter>[^()\\ ]{0,16})\(.*?\)(?P=delimiter)"
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'
    """,
    re.VERBOSE | re.DOTALL,
)


def _blank(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match.group())


def _blank_comment(match: re.Match) -> str:
    return _blank(match) if match.group().startswith("/") else match.group()


@dataclass(frozen=True)
class Source:
    path: str  # relative to the root, with slashes
    text: str

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def stem(self) -> str:
        return self.name.split(".", 1)[0]

    @property
    def is_cpp(self) -> bool:
        return self.path.endswith((".cc", ".h"))

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def is_shell(self) -> bool:
        return re.match(r"#!.*\b(ba)?sh\b", self.text) is not None

    @property
    def is_cmake(self) -> bool:
        return self.name == "CMakeLists.txt" or self.path.endswith(".cmake")

    @property
    def in_src(self) -> bool:
        return self.is_cpp and self.path.startswith("src/")

    @property
    def layer(self) -> str:
        """The directory of src/ it lies in, or nothing."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 2 else ""

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def code(self) -> str:
        """C++ without comments, strings and characters."""
        return _TOKEN.sub(_blank, self.text)

    @cached_property
    def code_with_literals(self) -> str:
        """C++ without comments."""
        return _TOKEN.sub(_blank_comment, self.text)

    def line_at(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1


def tree(root: Path = ROOT) -> list[Source]:
    """Every text file that is, or could be, under version control."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    ).stdout.decode()
    sources = []
    for path in sorted(filter(None, listed.split("\0"))):
        try:
            sources.append(Source(path, (root / path).read_text(encoding="utf-8")))
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a fuzz corpus is octets; a deleted file is nobody's
    return sources
