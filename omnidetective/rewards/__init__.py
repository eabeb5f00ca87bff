"""The rewards of AVoCaDO, as functions that trainers can call. Importing them loads no model and no provider."""

from __future__ import annotations

from omnidetective.rewards.checklist import checklist_reward
from omnidetective.rewards.dialogue import DialogueScore, Utterance, dialogue_reward, dialogue_score
from omnidetective.rewards.length import length_reward

__all__ = ["DialogueScore", "Utterance", "checklist_reward", "dialogue_reward", "dialogue_score", "length_reward"]
