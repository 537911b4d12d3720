"""Draws a page of a PDF, or an image, alone in a process of its own: `python -m evidence.library.drawing KIND PAGE`.

Reads the file on standard input and writes a PNG on standard output, before it one line of JSON: how many pages there
are. Memory and time are limited, and neither Django nor settings are imported: what breaks the drawing program finds
nothing here.
"""

import io
import json
import resource
import sys
from typing import Any

MEMORY, SECONDS = 1_000_000_000, 15
WIDEST = 1400  # dots of the picture
MOST_DOTS = 80_000_000  # of an image, before it is opened out


def page(data: bytes, number: int) -> tuple[int, bytes]:
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    many = len(document)
    drawn = document[min(max(number, 1), many) - 1]
    width, height = drawn.get_size()
    scale = min(WIDEST / max(width, 1), 4 * WIDEST / max(height, 1), 4)
    return many, _png(drawn.render(scale=scale, may_draw_forms=False).to_pil())


def image(data: bytes) -> tuple[int, bytes]:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MOST_DOTS // 2  # Pillow raises at twice of it
    opened = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF", "WEBP", "TIFF"))
    if opened.width * opened.height > MOST_DOTS:
        raise ValueError("too many dots")
    opened.draft("RGB", (WIDEST, WIDEST))
    shown = opened.convert("RGBA") if opened.mode in ("P", "LA", "PA", "RGBA") else opened.convert("RGB")
    shown.thumbnail((WIDEST, WIDEST * 4))
    return 1, _png(shown)


def _png(picture: Any) -> bytes:
    made = io.BytesIO()
    picture.save(made, "PNG")
    return made.getvalue()


def main(kind: str, number: str) -> int:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = sys.stdin.buffer.read()
    many, png = page(data, int(number)) if kind == "pages" else image(data)
    sys.stdout.buffer.write(json.dumps({"pages": many}).encode() + b"\n" + png)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
