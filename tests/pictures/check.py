#!/usr/bin/env python3
"""check.py FILE.svg: whether a flame graph can be read, as far as a program can tell.

Boxes of a row do not overlap, each stands on one that is as wide or wider, names fit into their
boxes, all times together are the whole, the quality of the profile is there, and a browser can
draw the image.
"""

import sys
import xml.etree.ElementTree as tree

SVG = "{http://www.w3.org/2000/svg}"
FRAME = "{http://github.com/jonhoo/inferno}"
# Pixels: of a character, of a row, of the highest image that a browser draws.
CHARACTER, ROW, HIGHEST = 12 * 0.59, 16, 32767


def check(path):
    root = tree.parse(path).getroot()
    if int(root.get("viewBox").split()[3]) > HIGHEST:
        yield "the image is too high for a browser"
    subtitle = root.find(f"{SVG}text[@id='subtitle']")
    if subtitle is None or "whole stacks" not in subtitle.text:
        yield "the quality of the profile is missing"
    rows, bottom, pixels = {}, None, int(root.get("width"))
    frames = root.find(f"{SVG}svg[@id='frames']")
    total = int(frames.get("total_samples"))
    for group in frames:
        box, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text").text or ""
        start, width = int(box.get(FRAME + "x")), int(box.get(FRAME + "w"))
        rows.setdefault(int(box.get("y")), []).append((start, start + width))
        title = group.find(f"{SVG}title").text
        if title.startswith("all (") and (start, width) == (0, total):
            bottom = int(box.get("y"))
        if len(text) * CHARACTER > width / total * pixels + CHARACTER:
            yield f"the name does not fit: {title}"
    for row, boxes in rows.items():
        boxes.sort()
        for (start, end), (following, _) in zip(boxes, boxes[1:]):
            if following < end:
                yield f"boxes overlap at {start} in row {row}"
    if bottom is None:
        yield "no box is as wide as the whole"
        return
    order = sorted(rows, key=lambda row: abs(row - bottom))
    for callers, callees in zip(order, order[1:]):
        if abs(callees - callers) != ROW:
            yield f"there is nothing between the rows {callers} and {callees}"
        for start, end in rows[callees]:
            if not any(first <= start and end <= last for first, last in rows[callers]):
                yield f"the box at {start} in row {callees} stands on nothing"


def main():
    problems = [problem for path in sys.argv[1:] for problem in check(path)]
    for problem in problems[:20]:
        print(f"{sys.argv[1]}: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
