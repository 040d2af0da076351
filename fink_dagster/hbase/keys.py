"""Row keys: parts joined by ``_``, so that Fink's prefix scans find what they ask for, and no two rows share one.

Which parts a table's key has is said in ``tables``.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

LONGEST_TEXT_BYTES = 200  # of a text in a key; HBase admits 32,767 bytes in all
SCHEMA = "schema"
"""How the keys of rows begin that say what a table's cells hold."""
_PLAIN = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"
"""Kept as it is beside letters, digits and ``_.-~``: names and classes hold blanks and stars, and Fink's keys too."""

Part = str | float | int


def row_key(first: Part, *others: Part) -> bytes:
    """Return the key of a row; distinct parts, types alike, have distinct keys.

    Only the first part may hold a ``_``, so the others can be told apart from the right.

    Parameters
    ----------
    first, *others : str, float or int
        A number is its shortest text that reads back the same. In a text, ``%`` and whatever is not printable ASCII is
        percent-encoded, as is ``_`` behind the first part; a text that is too long, or begins as schema rows do, is
        altered in a way no encoded one can be.

    Examples
    --------
    >>> row_key("ZTF18abyouwp", 2458451.7519213, 697251920015010010)
    b'ZTF18abyouwp_2458451.7519213_697251920015010010'
    """
    text = _text(first)
    if text.startswith(SCHEMA):
        text = f"%73{text[1:]}"
    return "_".join([text, *(_text(part).replace("_", "%5F") for part in others)]).encode("ascii")


def row_prefix(*parts: Part) -> bytes:
    """Return how the keys of all rows with these first parts begin."""
    return row_key(*parts) + b"_"


def _text(part: Part) -> str:
    if isinstance(part, float):
        return repr(float(part))
    if isinstance(part, int):
        return str(int(part))
    text = quote(part, safe=_PLAIN, errors="surrogatepass")
    return text if len(text) <= LONGEST_TEXT_BYTES else f"%sha256-{hashlib.sha256(text.encode()).hexdigest()}"
