"""The PDF of a booking: one A5 page for each seat."""

import io
import pathlib

import segno
from PIL import Image
from reportlab.lib.pagesizes import A5
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from shows import Show
from ticket_code import ticket_code

WIDTH, HEIGHT = A5
LEFT = 15 * mm
CODE_SIDE = 70 * mm
# Latin, Greek and Cyrillic, as on the tickets that these are compared with. Parsed once.
FONTS = pathlib.Path(__file__).parents[3] / "workers/documents/fonts"
pdfmetrics.registerFont(TTFont("Regular", FONTS / "DejaVuSans.subset.ttf"))
pdfmetrics.registerFont(TTFont("Bold", FONTS / "DejaVuSans-Bold.subset.ttf"))


def render(show: Show, seats: list[str], name: str) -> bytes:
    pdf = io.BytesIO()
    canvas = Canvas(pdf, pagesize=A5, pageCompression=1)
    canvas.setTitle(show.title)
    for seat in seats:
        draw_page(canvas, show, seat, name)
        canvas.showPage()
    canvas.save()
    return pdf.getvalue()


def draw_page(canvas: Canvas, show: Show, seat: str, name: str) -> None:
    row, _, number = seat.rpartition("-")
    canvas.setFont("Bold", 24)
    canvas.drawString(LEFT, HEIGHT - 25 * mm, show.title)
    canvas.setFont("Regular", 13)
    canvas.drawString(LEFT, HEIGHT - 36 * mm, show.hall)
    canvas.drawString(LEFT, HEIGHT - 48 * mm, f"Row {row}")
    canvas.drawString(LEFT, HEIGHT - 56 * mm, f"Seat {number}")
    canvas.drawString(LEFT, HEIGHT - 68 * mm, name)
    canvas.drawString(LEFT, HEIGHT - 76 * mm, f"EUR {show.price_cents / 100:.2f}")
    canvas.drawImage(code_image(), (WIDTH - CODE_SIDE) / 2, 25 * mm, CODE_SIDE, CODE_SIDE)


def code_image() -> ImageReader:
    """One pixel for each module."""
    code = segno.make(ticket_code(), error="m", boost_error=False, micro=False)
    side = len(code.matrix)
    pixels = bytes(0 if dark else 255 for line in code.matrix for dark in line)
    return ImageReader(Image.frombytes("L", (side, side), pixels))
