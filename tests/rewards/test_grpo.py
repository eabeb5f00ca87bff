"""The rewards in TRL's GRPO trainer: two steps with a tiny model that knows nothing, on the CPU.

Run by `make test-trl`, in an environment with torch and TRL; elsewhere it is skipped.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rewards.judges import ScriptedJudge
from rewards.served import judged_by, served
from servers.faulty_openai import Behaviour

from omnidetective.rewards import Grader, async_trl_reward, trl_reward

pytestmark = pytest.mark.integration

_WORDS = ("a", "man", "woman", "dog", "says", "hello", "there", "runs", "red", "blue")
_GENERATIONS = 4


class _ByContent(ScriptedJudge):
    """Judges captions that nobody foresees: by their letters. Some of its answers cannot be read."""

    def __call__(self, system: str, user: str) -> str | Behaviour:
        case = json.JSONDecoder().raw_decode(user)[0]
        if "key_points" in case:
            self.asked.append("checklist")
            letters = sum(map(ord, case["caption"]))
            return json.dumps(
                {"correct": [1], "wrong": [2], "missing": []}
                if letters % 2
                else {"correct": [], "wrong": [1, 2], "missing": []}
            )
        if set(case) == {"caption"}:
            self.asked.append("dialogue")
            said = [{"speaker": "man", "content": "hello there"}] if case["caption"].startswith("ref") else []
            return json.dumps({"dialogue": said}) if len(case["caption"]) % 3 else "I cannot say."
        return super().__call__(system, user)


def test_two_steps_of_grpo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    trl = pytest.importorskip("trl")
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    monkeypatch.setenv("JUDGE_KEY", "sk-test")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.manual_seed(7)
    vocabulary = {word: n for n, word in enumerate(("<pad>", "<eos>", "<unk>", *_WORDS))}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=64,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=None,
        )
    )
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    rows = [{"prompt": f"a {word}", "reference": f"ref {n}"} for n, word in enumerate(_WORDS[:4])]
    judge = _ByContent(points={row["reference"]: ["p1", "p2"] for row in rows})
    with served(judge) as server:
        config = judged_by(server, tmp_path, f"cache.path={tmp_path / 'rewards.cache.sqlite'}")
        grader = Grader(config)
        trainer = trl.GRPOTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=[
                trl_reward("checklist", grader),
                async_trl_reward("dialogue", grader),
                trl_reward("length", grader),
            ],
            train_dataset=Dataset.from_list(rows),
            args=trl.GRPOConfig(
                output_dir=str(tmp_path / "out"),
                max_steps=2,
                per_device_train_batch_size=2 * _GENERATIONS,
                num_generations=_GENERATIONS,
                max_completion_length=8,
                learning_rate=0.01,
                logging_steps=1,
                report_to=[],
                save_strategy="no",
                use_cpu=True,
                bf16=False,
                seed=7,
            ),
        )
        trainer.train()
    assert trainer.state.global_step == 2
    logs = [row for row in trainer.state.log_history if "rewards/checklist_reward/mean" in row]
    assert len(logs) == 2
    for row in logs:
        # the judge finds one of two points in some captions, and none in others
        assert 0 <= row["rewards/checklist_reward/mean"] <= 0.5
        assert row["rewards/length_reward/mean"] == 1.0
        assert row["checklist_reward/not_judged"] == 0.0
        assert 0 <= row["dialogue_reward/not_judged"] <= 1
    assert any(row["rewards/checklist_reward/std"] > 0 for row in logs)
    assert any(row["dialogue_reward/not_judged"] > 0 for row in logs)
    assert any(not torch.equal(before[name], value) for name, value in model.named_parameters())
    # each reference once, over both steps
    assert judge.asked.count("keypoints") == len(rows)
    assert grader.not_judged["unparsable"] > 0
