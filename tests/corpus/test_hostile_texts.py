"""Hostile records, a forbidden source and a benchmark item each leave the right row in the ledger of a real build."""

from __future__ import annotations

import json
from pathlib import Path

from commandline import TOKENIZER, corpus

import corpus as api

SENTENCE = "当社は有価証券報告書を提出する。"
QUESTION = {
    "id": 3,
    "question": "投資信託の受益者が請求できる買取りについて最も適切な説明はどれか。",
    "choices": ["基準価額で行う", "市場価格で行う"],
}
RECIPE = f"""name: hostile
sources:
  - {{name: records, path: records.jsonl, kind: record, licence: CC0-1.0, text: body, id: id}}
  - {{name: foreign, path: page.txt, kind: news, licence: unknown}}
policy: {{licences: [CC0-1.0]}}
decontaminate: {{against: [{{path: exam.jsonl}}]}}
tokenize: {{tokenizer: {TOKENIZER}}}
"""


def test_each_leaves_a_correct_row(tmp_path: Path):
    bodies = {
        "nul": "金融庁は\0公表資料を公開した。",
        "empty": "",
        "long": SENTENCE * 110_000,
        "marks": "か" + "\u3099" * 10_000 + "き",
        "exam": SENTENCE + "\n".join([QUESTION["question"], *QUESTION["choices"]]),
    }
    lines = [json.dumps({"id": name, "body": body}) for name, body in bodies.items()]
    lines.append('{"id": "surrogate", "body": "金融庁は\\ud800公表資料を公開した。"}')
    (tmp_path / "records.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "exam.jsonl").write_text(json.dumps(QUESTION), encoding="utf-8")
    (tmp_path / "page.txt").write_text(SENTENCE * 10, encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    done = corpus("build", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--workers", 1)
    assert done.returncode == 3, done.stderr
    rows = {row["part"] or row["source"]: row for row in api.open_build(tmp_path / "out").ledger()}
    told = {name: (row["fate"], row["stage"], row["rule"]) for name, row in rows.items()}
    assert told == {
        "nul": ("kept", "", ""),
        "line 2": ("failed", "extract", ""),
        "long": ("rejected", "refine", "distinct_words"),
        "marks": ("rejected", "refine", "misread"),
        "exam": ("rejected", "decontaminate", "exam:3"),
        "line 6": ("failed", "extract", ""),
        "foreign": ("rejected", "policy", "licence"),
    }
    assert (rows["nul"]["chars"], rows["long"]["chars"]) == (14, 1_760_000)
    assert rows["exam"]["value"] > rows["exam"]["threshold"] == 0.6
    assert [cut["rule"] for cut in rows["exam"]["cuts"]] == ["exam:3"]
