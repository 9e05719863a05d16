#!/usr/bin/env python3
"""Draws the demo halls as pretix seating plans. No input, no chance: the same files every time.

    python3 demo/halls/generate.py
"""

import json
import math
import pathlib
import uuid

SEAT = 24  # distance of neighbouring seats
ROW = 30  # distance of rows
NAMES = uuid.UUID("5b0c1a52-6d0d-4c39-9d0e-0f4f0a5c7b11")


class Zone:
    """A part of the hall; rows are added in hall coordinates and written relative to the zone."""

    def __init__(self, plan, name, x, y):
        self.plan, self.name, self.x, self.y = plan, name, x, y
        self.rows, self.areas = [], []

    def row(self, letter, seats):
        """`seats` is a list of (number, x, y, category); the row starts at its first seat."""
        _, x0, y0, _ = seats[0]
        guid = f"{self.plan.slug}-{self.name}-{letter}".lower().replace(" ", "-")
        self.rows.append({
            "row_number": letter,
            "row_number_position": "both",
            "position": {"x": r(x0 - self.x), "y": r(y0 - self.y)},
            "uuid": str(uuid.uuid5(NAMES, guid)),
            "seats": [
                {
                    "seat_guid": f"{guid}-{number}",
                    "seat_number": str(number),
                    "position": {"x": r(x - x0), "y": r(y - y0)},
                    "category": category,
                }
                for number, x, y, category in seats
            ],
        })

    def area(self, text, x, y, width, height, color):
        self.areas.append({
            "shape": "rectangle",
            "width": width,
            "height": height,
            "position": {"x": r(x - self.x), "y": r(y - self.y)},
            "color": color,
            "text": text,
        })

    def json(self):
        return {
            "name": self.name,
            "position": {"x": r(self.x), "y": r(self.y)},
            "rows": self.rows,
            "areas": self.areas,
        }


class Plan:
    def __init__(self, slug, name, width, height, categories):
        self.slug, self.name, self.width, self.height = slug, name, width, height
        self.categories, self.zones, self.standing = categories, [], []

    def zone(self, name, x, y):
        self.zones.append(Zone(self, name, x, y))
        return self.zones[-1]

    def places(self, name, category, capacity):
        """An area without seats: `capacity` people, wherever they like."""
        self.standing.append({"name": name, "category": category, "capacity": capacity})

    def write(self, seats_expected):
        guids = [s["seat_guid"] for z in self.zones for row in z.rows for s in row["seats"]]
        used = {s["category"] for z in self.zones for row in z.rows for s in row["seats"]}
        assert len(guids) == len(set(guids)) == seats_expected, (self.slug, len(guids))
        used |= {area["category"] for area in self.standing}
        assert used == {name for name, _ in self.categories}, (self.slug, used)
        spots = [(z.x + row["position"]["x"] + s["position"]["x"],
                  z.y + row["position"]["y"] + s["position"]["y"])
                 for z in self.zones for row in z.rows for s in row["seats"]]
        assert all(SEAT <= x <= self.width - SEAT and SEAT <= y <= self.height - SEAT for x, y in spots), self.slug
        for i, (x, y) in enumerate(spots):
            for other in spots[i + 1:]:
                assert math.dist((x, y), other) >= SEAT * 0.75, (self.slug, guids[i], (x, y), other)
        plan = {
            "name": self.name,
            "categories": [{"name": name, "color": color} for name, color in self.categories],
            "size": {"width": self.width, "height": self.height},
            "zones": [zone.json() for zone in self.zones],
        }
        if self.standing:
            plan["areas"] = self.standing
        path = pathlib.Path(__file__).parent / f"{self.slug}.json"
        path.write_text(json.dumps(plan, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def r(value):
    value = round(value, 1)
    return int(value) if value == int(value) else value


def straight(count, middle, y, gaps=(), lift=0.0):
    """Places of a row centred on `middle`; an aisle after each count in `gaps`. With `lift` the
    row bends: its ends come nearer to the screen by that much."""
    aisle = SEAT * 1.5
    xs, x = [], 0.0
    for i in range(count):
        xs.append(x)
        x += SEAT + (aisle if i + 1 in gaps else 0)
    half = xs[-1] / 2
    return [(middle + x - half, y - lift * ((x - half) / half) ** 2) for x in xs]


def arc(count, cx, cy, radius, gaps=()):
    """Places on a circle around (cx, cy), symmetric about straight down, with aisles."""
    aisle = SEAT * 1.5
    lengths, at = [], 0.0
    for i in range(count):
        lengths.append(at)
        at += SEAT + (aisle if i + 1 in gaps else 0)
    half = lengths[-1] / 2
    return [(cx + radius * math.sin((l - half) / radius), cy + radius * math.cos((l - half) / radius))
            for l in lengths]


def numbered(places, category):
    return [(i + 1, x, y, category(i + 1) if callable(category) else category)
            for i, (x, y) in enumerate(places)]


def astor():
    """A cinema of 280: thirteen slightly bent rows, staggered by half a seat, two aisles."""
    plan = Plan("astor-1", "Astor 1", 800, 620, [
        ("Standard", "#457b9d"), ("Premium", "#e76f51"), ("Lounge", "#6d597a"),
        ("Wheelchair", "#2a9d8f"), ("Companion", "#8ab17d"),
    ])
    hall = plan.zone("Stalls", 40, 110)
    hall.area("Screen", 150, 30, 500, 14, "#1d3557")
    rows = [("A", 18), ("B", 20), ("C", 21), ("D", 22), ("E", 22), ("F", 23), ("G", 24),
            ("H", 24), ("J", 25), ("K", 24), ("L", 25)]
    y = 120
    for letter, count in rows:
        side = 5 if count >= 22 else 4
        places = straight(count, 400, y, (side, count - side), lift=14)
        # The places to roll to are at the ends of the first row, each with a seat for the companion.
        def category(n, letter=letter, count=count):
            if letter == "A" and (n in (1, 3) or n in (count, count - 2)):
                return "Wheelchair"
            if letter == "A" and (n in (2, 4) or n in (count - 1, count - 3)):
                return "Companion"
            return "Premium" if letter in "GHJ" and side < n <= count - side else "Standard"
        hall.row(letter, numbered(places, category))
        y += ROW + (16 if letter == "F" else 0)
    y += 16
    lounge = plan.zone("Lounge", 40, y)
    for letter, count in (("M", 16), ("N", 16)):
        xs = straight(count, 400, y, (2, 4, 6, 8, 10, 12, 14), lift=10)
        lounge.row(letter, numbered(xs, "Lounge"))
        y += ROW + 8
    plan.height = int(y + 10)
    plan.write(280)


def theatre():
    """A theatre of 900: bent stalls with a centre gangway, boxes along both walls, two balconies."""
    plan = Plan("theatre-grand", "Grand Theatre", 1240, 1350, [
        ("Stalls front", "#b5179e"), ("Stalls", "#e76f51"), ("Stalls rear", "#f4a261"),
        ("Box", "#6d597a"), ("Circle", "#457b9d"), ("Gallery", "#6c8ea4"),
        ("Restricted view", "#9aa5b1"), ("Wheelchair", "#2a9d8f"), ("Companion", "#8ab17d"),
    ])
    cx, cy = 620, -360
    stalls = plan.zone("Stalls", 180, 130)
    stalls.area("Stage", 400, 20, 440, 40, "#1d3557")
    letters = "ABCDEFGHJKLMNOPQRS"
    counts = [20, 22, 22, 24, 24, 26, 26, 28, 28, 28, 28, 30, 30, 30, 28, 28, 26, 26]
    radius = 500
    for letter, count in zip(letters, counts):
        price = "Stalls front" if letter <= "D" else "Stalls" if letter <= "M" else "Stalls rear"
        def category(n, letter=letter, count=count, price=price):
            if letter == "S":
                edge = min(n, count + 1 - n)
                return {1: "Wheelchair", 2: "Companion", 3: "Wheelchair", 4: "Companion"}.get(edge, price)
            if letter in "NO" and min(n, count + 1 - n) <= 2:
                return "Restricted view"
            return price
        stalls.row(letter, numbered(arc(count, cx, cy, radius, (count // 2,)), category))
        radius += ROW + (18 if letter in "DM" else 0)

    # Boxes: two rows of chairs each, the second one looks past the first.
    for side, name in ((-1, "Boxes left"), (1, "Boxes right")):
        boxes = plan.zone(name, 40 if side < 0 else 1100, 160)
        for box in range(6):
            x = 620 + side * 560
            y = 180 + box * 92
            seats = [(1, x - side * 26, y, "Box"), (2, x - side * 26, y + SEAT, "Box"),
                     (3, x - side * 26, y + 2 * SEAT, "Box"),
                     (4, x, y + 12, "Restricted view"), (5, x, y + SEAT + 12, "Restricted view")]
            number = 2 * box + (1 if side < 0 else 2)
            boxes.row(f"Box {number}", seats)

    radius += 50
    circle = plan.zone("Circle", 120, int(cy + radius))
    for letter, count in zip("ABCDE", (38, 40, 40, 40, 38)):
        def category(n, count=count):
            return "Restricted view" if min(n, count + 1 - n) <= 3 else "Circle"
        circle.row(letter, numbered(arc(count, cx, cy, radius, (count // 4, count // 2, count - count // 4)), category))
        radius += ROW
    radius += 40
    gallery = plan.zone("Gallery", 120, int(cy + radius))
    for letter, count in zip("ABCD", (42, 44, 44, 40)):
        def category(n, count=count):
            return "Restricted view" if min(n, count + 1 - n) <= 4 else "Gallery"
        gallery.row(letter, numbered(arc(count, cx, cy, radius, (count // 4, count // 2, count - count // 4)), category))
        radius += ROW
    plan.height = int(cy + radius + 10)
    plan.write(900)


def studio():
    """A room of exactly 40 for the on-sale rush: five rows of eight, one aisle."""
    plan = Plan("studio-40", "Studio", 340, 300, [("Standard", "#457b9d"), ("Premium", "#e76f51")])
    hall = plan.zone("Studio", 40, 90)
    hall.area("Screen", 70, 30, 200, 12, "#1d3557")
    for i, letter in enumerate("ABCDE"):
        category = "Premium" if letter >= "D" else "Standard"
        hall.row(letter, numbered(straight(8, 170, 100 + i * ROW, (4,), lift=6), category))
    plan.write(40)


def club():
    """A club: 300 stand on the floor, 40 at the bar, 36 sit on a balcony along the back wall."""
    plan = Plan("kesselhaus", "Kesselhaus", 520, 560, [
        ("Standing", "#f4a261"), ("Bar", "#6c8ea4"), ("Balcony", "#6d597a"), ("Wheelchair", "#2a9d8f"),
    ])
    plan.places("Dance floor", "Standing", 300)
    plan.places("Bar", "Bar", 40)
    floor = plan.zone("Floor", 40, 40)
    floor.area("Stage", 110, 40, 300, 50, "#1d3557")
    floor.area("Dance floor", 60, 100, 400, 280, "#f4a261")
    balcony = plan.zone("Balcony", 40, 440)
    for letter, y in (("A", 460), ("B", 490)):
        def category(n, letter=letter):
            return "Wheelchair" if letter == "A" and n in (1, 18) else "Balcony"
        balcony.row(letter, numbered(straight(18, 260, y, (9,)), category))
    plan.write(36)


if __name__ == "__main__":
    astor()
    theatre()
    studio()
    club()
