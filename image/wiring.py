#!/usr/bin/env python3
"""Draws docs/wiring.svg: the panel's wires at a Raspberry Pi's forty pins.

    image/wiring.py >docs/wiring.svg
"""

# Pin of the header, its name, what is wired to it, colour. Source of the names: Raspberry Pi's GPIO documentation.
NAMES = {
    1: "3V3", 2: "5V", 3: "GPIO2 SDA", 4: "5V", 5: "GPIO3 SCL", 6: "GND", 7: "GPIO4", 8: "GPIO14 TXD", 9: "GND", 10: "GPIO15 RXD",
    11: "GPIO17", 12: "GPIO18", 13: "GPIO27", 14: "GND", 15: "GPIO22", 16: "GPIO23", 17: "3V3", 18: "GPIO24", 19: "GPIO10", 20: "GND",
}
WIRES = {
    1: ("display VCC", "#c0392b"), 3: ("display SDA", "#2471a3"), 5: ("display SCL", "#b7950b"), 9: ("display GND", "#333"),
    11: ("lamp red, 330 Ω", "#c0392b"), 13: ("lamp green, 330 Ω", "#1e8449"), 15: ("lamp blue, 330 Ω", "#2471a3"),
    14: ("lamp, buzzer, button GND", "#333"), 12: ("buzzer", "#7d3c98"), 16: ("button", "#7e5109"),
}
ROW = 30


def pin(number):
    """One pin with its name, and its wire."""
    left = number % 2
    x, y = (270 if left else 310), 50 + (number - 1) // 2 * ROW
    anchor, beside, far, text = ("end", x - 14, x - 110, x - 116) if left else ("start", x + 14, x + 110, x + 116)
    what, colour = WIRES.get(number, (None, "#bbb"))
    lines = [f'<circle cx="{x}" cy="{y}" r="9" fill="{colour}"/>',
             f'<text x="{x}" y="{y + 4}" text-anchor="middle" fill="#fff" font-size="10">{number}</text>']
    if what:
        lines.append(f'<line x1="{beside}" y1="{y}" x2="{far}" y2="{y}" stroke="{colour}" stroke-width="3"/>')
        lines.append(f'<text x="{text}" y="{y + 4}" text-anchor="{anchor}" font-size="12">{what}</text>')
    name_y = y - 5 if what else y + 4
    lines.append(f'<text x="{beside}" y="{name_y}" text-anchor="{anchor}" font-size="9" fill="#555">{NAMES[number]}</text>')
    return lines


def main():
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 370" font-family="sans-serif">',
             '<rect width="580" height="370" fill="#fff"/>',
             '<text x="290" y="24" text-anchor="middle" font-size="13">the end of the header with the corner pin, seen from above</text>',
             '<rect x="252" y="34" width="76" height="302" rx="6" fill="#222"/>']
    for number in NAMES:
        lines += pin(number)
    lines.append('<text x="290" y="356" text-anchor="middle" font-size="11" fill="#555">pins 21 to 40 are free</text></svg>')
    print("\n".join(lines))


if __name__ == "__main__":
    main()
