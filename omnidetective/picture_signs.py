"""The names of what is measured in a picture, for the ``signs`` of domains: checked early, without importing numpy."""

from __future__ import annotations

MEASURES: dict[str, str] = {
    "text_share": "share of the picture that lines of text cover",
    "text_lines": "how many lines of text there are: 0 none, 0.5 about 9, 1 about 100 or more",
    "line_length": "mean length of a line; 1 is 80 characters",
    "long_lines": "share of the lines with 40 characters or more",
    "labels": "share of the lines with three words at most",
    "small_text": "share of the lines that are lower than a fortieth of the picture",
    "same_height": "share of the lines that are about as high as most",
    "columns": "share of the lines that begin under two others or more",
    "indented": "share of the lines that begin a little to the right of the line above",
    "digits": "share of the characters that are digits",
    "symbols": "share of the characters that programs and formulas use more than prose does",
    "code_lines": "share of the lines that look like program text",
    "edges": "share of the pixels on an edge",
    "axis_edges": "share of the edges that run level or upright",
    "ruled": "long straight lines, level or upright",
    "colours": "how many colours there are, on a logarithmic scale: 1 is some 4000",
    "top_colour": "share of the most frequent colour",
    "flat": "share of the picture in areas of one colour",
    "smooth": "share of the picture in areas of softly changing colour",
    "levels": "how many shades small areas have, as photographs do; 1 is 40",
    "white": "share of the picture that is white",
    "dark": "share of the picture that is black or nearly",
    "saturation": "mean strength of the colours",
    "mid_grey": "share of the picture that is grey, neither black nor white",
    "tissue": "share of the picture in reds, pinks and purples of middling strength",
    "dark_border": "share of the outermost part of the picture that is black or nearly",
    "page_shape": "1 for the shape of an upright sheet of paper, 0 otherwise",
}
"""Name of a measure → what it tells; each is 0…1."""

BIAS = "bias"
"""Is added always."""
WORDS = "words"
"""Share of the lines in which one of the domain's own words is found, counted fourfold and up to 1."""
SIGNS = (*MEASURES, BIAS, WORDS)
"""All that ``signs`` can weigh."""
