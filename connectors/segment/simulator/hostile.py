"""Names that are valid and nasty. No NUL: no JSON service would keep one."""

from .dice import Dice

NAMES = (
    "=1+1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Long " + "name " * 2047,  # 10 kB
    "W" * 10_240,  # the same in one word
    "\u202egnp.exe\u202c and \u2066\u2067turned\u2069",
    "line one\r\nline two\ttabbed",
    "bell \x07 escape \x1b[31mred\x1b[0m \x01 \x7f \u0085 \u2028 \u2029 end",
    "{{ 7*7 }}{% debug %}${7*7}",
    '#read("secrets") #set page(width: 1pt) $x^2$ *bold* _it_ @ref <label>',
    "+1", "-1", "@SUM(A1:A9)", "\t=1+1", "\uff1d1+1",
    "Robert'); DROP TABLE connection;--",
    "../../etc/passwd",
    "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 \U0001f9ff e\u0301\u0323 \u200b\ufeff",
    "مرحبا بالعالم 123 עולם",
    "店舗イベント ร้านค้า दुकान 상점",
    "\ue000 private use, \U0010ffff last, \ufffd replaced",
    "null", "None", "true", "0", " ", "",
)  # fmt: skip


def name(kind: str, number: int, plain: str) -> str:
    """A nasty name for the first records of each kind, the plain one for the rest."""
    if kind == "workspace" or number >= len(NAMES):
        return plain
    return NAMES[(number + Dice("hostile", kind).below(len(NAMES))) % len(NAMES)]


def plain(kind: str, number: int, plain: str) -> str:
    """The name as it is."""
    return plain
