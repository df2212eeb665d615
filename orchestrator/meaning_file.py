"""An operator's own words for reading answers: the file that AVTALE_MEANING_FILE names."""

from pathlib import Path

from orchestrator.config import Settings
from orchestrator.errors import SetupError
from orchestrator.rules import meaning
from orchestrator.rules.meaning_words import BadWords, Words, extended


def load(path: Path) -> Words:
    """The shipped words and those of this file. Raises SetupError with the lines at fault."""
    try:
        return extended(path.read_text("utf-8"))
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SetupError(f"{path} is no text in UTF-8.") from None
    except BadWords as error:
        raise SetupError("\n".join(f"{path}, {fault}" for fault in error.faults)) from None


def use(settings: Settings) -> None:
    """Let this process read answers with the shipped words and the operator's."""
    if settings.meaning_file is not None:
        meaning.use(words=load(settings.meaning_file))
