"""Pictures of code whose text is known: editors, dark and light, with and without numbers of lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

PYTHON = '''\
import math
from dataclasses import dataclass

# The smallest side that counts.
LEAST = 0.5


@dataclass
class Shape:
    width: float
    height: float

    def area(self) -> float:
        return self.width * self.height


def diagonal(shape: Shape) -> float:
    """How long the diagonal is."""
    total = shape.width ** 2 + shape.height ** 2
    return math.sqrt(total)
'''
JAVASCRIPT = """\
import { readFile } from "fs";

// Counts the words of a text.
function countWords(text) {
  const words = text.split(" ");
  return words.filter((word) => word.length > 0).length;
}

class Reader {
  constructor(path) {
    this.path = path;
  }

  async total() {
    const text = await readFile(this.path);
    return countWords(text);
  }
}

export default Reader;
"""
TYPESCRIPT = """\
import { Order } from "./order";

interface Customer {
  name: string;
  orders: Order[];
}

type Amount = number;

export function total(customer: Customer): Amount {
  return customer.orders.reduce((sum: number, order: Order) => sum + order.price, 0);
}
"""
JAVA = """\
package shop;

import java.util.List;

public class Basket {
    private final List<Item> items;

    public Basket(List<Item> items) {
        this.items = items;
    }

    public int total() {
        int sum = 0;
        for (Item item : items) {
            sum += item.price();
        }
        return sum;
    }
}
"""
C = """\
#include <stdio.h>

/* The larger of two numbers. */
static int larger(int a, int b) {
    return a > b ? a : b;
}

int main(void) {
    int most = 0;
    for (int i = 0; i < 10; i++) {
        most = larger(most, i * 3);
    }
    printf("%d", most);
    return 0;
}
"""
CPP = """\
#include <vector>
#include <string>

namespace shop {

class Basket {
public:
    void add(const std::string& name) {
        names.push_back(name);
    }

private:
    std::vector<std::string> names;
};

}
"""
C_SHARP = """\
using System;
using System.Linq;

namespace Shop
{
    public class Basket
    {
        public string Name { get; set; }

        public int Total(int[] prices)
        {
            var sum = prices.Sum();
            Console.WriteLine(sum);
            return sum;
        }
    }
}
"""
GO = """\
package main

import "fmt"

type Point struct {
    X int
    Y int
}

func (p Point) Sum() int {
    return p.X + p.Y
}

func main() {
    p := Point{X: 3, Y: 4}
    fmt.Println(p.Sum())
}
"""
RUST = """\
use std::collections::HashMap;

pub struct Counter {
    counts: HashMap<String, usize>,
}

impl Counter {
    pub fn add(&mut self, word: &str) {
        let count = self.counts.entry(word.to_string()).or_insert(0);
        *count += 1;
    }
}

fn main() {
    println!("ready");
}
"""
RUBY = """\
require "json"

class Basket
  attr_reader :items

  def initialize(items)
    @items = items
  end

  def total
    @items.map { |item| item.price }.sum
  end
end

puts Basket.new([]).total
"""
PHP = """\
<?php

namespace Shop;

use Shop\\Models\\Item;

class Basket
{
    private array $items = [];

    public function add(Item $item): void
    {
        $this->items[] = $item;
    }
}
"""
BASH = """\
#!/bin/bash
# Copies all pictures.
set -e

copy_all() {
  for file in "$1"/*.png; do
    cp "$file" "$2"
  done
}

if [ -z "$1" ]; then
  echo "usage: copy FROM TO"
  exit 1
fi
copy_all "$1" "$2"
"""
SQL = """\
SELECT customers.name, COUNT(orders.id) AS total
FROM customers
LEFT JOIN orders ON orders.customer_id = customers.id
WHERE orders.price > 100
GROUP BY customers.name
ORDER BY total DESC
LIMIT 10;
"""
JSON = """\
{
  "name": "basket",
  "version": "1.2.0",
  "private": true,
  "scripts": {
    "build": "tsc",
    "test": "jest"
  },
  "keywords": ["shop", "orders"]
}
"""
HTML = """\
<!DOCTYPE html>
<html>
  <head>
    <title>Spring fair</title>
  </head>
  <body>
    <h1>Opening hours</h1>
    <p class="note">Every day</p>
  </body>
</html>
"""
CSS = """\
body {
  margin: 0;
  font-family: sans-serif;
}

.note {
  color: #333333;
  padding: 4px 8px;
}

@media (max-width: 600px) {
  .note {
    display: none;
  }
}
"""

LANGUAGES: Mapping[str, str] = {
    "Python": PYTHON,
    "JavaScript": JAVASCRIPT,
    "TypeScript": TYPESCRIPT,
    "Java": JAVA,
    "C": C,
    "C++": CPP,
    "C#": C_SHARP,
    "Go": GO,
    "Rust": RUST,
    "Ruby": RUBY,
    "PHP": PHP,
    "Bash": BASH,
    "SQL": SQL,
    "JSON": JSON,
    "HTML": HTML,
    "CSS": CSS,
}
"""Code by language. No line of it is run by anybody."""


@dataclass(frozen=True, slots=True)
class Theme:
    """How an editor looks.

    Attributes:
        numbers: whether the numbers of lines stand at the left.
        tab: the name of a file in a tab above the code; absent without.
    """

    ground: str = "white"
    ink: str = "black"
    faint: str = "#888888"
    numbers: bool = False
    tab: str | None = None
    size_px: int = 22


LIGHT = Theme()
DARK = Theme(ground="#1e1e1e", ink="#dcdcdc", faint="#858585", numbers=True, tab="main.py")
THEMES: Mapping[str, Theme] = {"light": LIGHT, "dark, numbered": Theme("#1e1e1e", "#dcdcdc", "#858585", numbers=True)}


@dataclass(frozen=True, slots=True)
class DrawnCode:
    """Code in a picture; ``text`` is all of it, empty lines included, without a last end of line."""

    image: Image.Image
    language: str
    text: str
    file: str | None


def draw(language: str, theme: Theme = LIGHT, *, text: str | None = None) -> DrawnCode:
    """An editor that shows the code of a language, in cells of one width."""
    shown = (LANGUAGES[language] if text is None else text).rstrip("\n")
    lines = shown.split("\n")
    font, cell_px = cells(theme.size_px)
    step_px = round(theme.size_px * 1.5)
    left = 40 + (5 * cell_px if theme.numbers else 0)
    top = 40 + (2 * step_px if theme.tab else 0)
    size = (round(left + cell_px * max(map(len, lines)) + 60), top + step_px * len(lines) + 40)
    image = Image.new("RGB", (max(480, size[0]), size[1]), theme.ground)
    pen = ImageDraw.Draw(image)
    if theme.tab:
        pen.rectangle((0, 0, image.width, round(step_px * 1.6)), fill="#333333")
        pen.rectangle((30, 0, 90 + cell_px * len(theme.tab), round(step_px * 1.6)), fill=theme.ground)
        pen.text((50, step_px * 0.3), theme.tab, fill=theme.ink, font=ImageFont.load_default(theme.size_px))
    for n, line in enumerate(lines):
        y = top + n * step_px
        if theme.numbers:
            number = str(n + 1)
            write(pen, (40 + (3 - len(number)) * cell_px, y), number, font, cell_px, theme.faint)
        write(pen, (left, y), line, font, cell_px, theme.ink)
    return DrawnCode(image, language, shown, theme.tab)


def cells(size_px: int) -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, float]:
    """A font of one width and that width in pixels: the system's, where it has one, else Pillow's own set in cells."""
    try:
        font = ImageFont.truetype("DejaVuSansMono.ttf", size_px)
    except OSError:
        return ImageFont.load_default(size_px), size_px * 0.66
    return font, font.getlength("m")


def write(
    pen: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    cell_px: float,
    ink: str,
) -> None:
    """One letter a cell."""
    for n, char in enumerate(text):
        inset = (cell_px - font.getlength(char)) / 2
        pen.text((corner[0] + n * cell_px + inset, corner[1]), char, fill=ink, font=font)
