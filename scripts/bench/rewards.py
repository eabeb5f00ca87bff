"""How long it takes to align two dialogues, which every dialogue reward does. Usage: rewards.py [RUNS]

Utterances of 5 to 25 words; the second dialogue is the first one with words changed and utterances left out and moved.
The work is N·M similarities and an N·M table, whatever the texts are like.
"""

from __future__ import annotations

import random
import statistics
import sys
import time

from omnidetective.rewards import Utterance, dialogue_score

SIZES = (20, 50, 100, 200, 400)
_SEED = 20251012
_WORDS = 2000


def dialogues(size: int) -> tuple[list[Utterance], list[Utterance]]:
    """Two dialogues of so many utterances each."""
    chance = random.Random(_SEED)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(_WORDS)]

    def said() -> list[str]:
        return chance.choices(words, k=chance.randint(5, 25))

    reference = [(chance.choice(("a man", "a woman")), said()) for _ in range(size)]
    heard = [
        (who, [word if chance.random() < 0.8 else chance.choice(words) for word in what]) for who, what in reference
    ]
    generated = [one if chance.random() < 0.8 else (one[0], said()) for one in heard]
    for _ in range(size // 10):
        a, b = chance.randrange(size), chance.randrange(size)
        generated[a], generated[b] = generated[b], generated[a]
    left, right = ([Utterance(who, " ".join(what)) for who, what in side] for side in (generated, reference))
    return left, right


def main(runs: int) -> None:
    """Print medians over runs, after one run that is not counted."""
    sys.stdout.write("| utterances | median ms | pairs | F1 |\n|---|---|---|---|\n")
    for size in SIZES:
        generated, reference = dialogues(size)
        score = dialogue_score(generated, reference)
        taken = []
        for _ in range(runs):
            started = time.perf_counter()
            dialogue_score(generated, reference)
            taken.append(1000 * (time.perf_counter() - started))
        median = statistics.median(taken)
        sys.stdout.write(f"| {size} x {size} | {median:.1f} | {score.pairs} | {score.f1:.3f} |\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
