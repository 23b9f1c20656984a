"""Text files give their text; Aozora Bunko files give the work without the archive's markup."""

from __future__ import annotations

import pytest

from pipelines.extract import Raw
from pipelines.extract.text import extract_text, is_aozora, read_text
from registry.errors import InputError

AOZORA = """吾輩は猫である
上巻
夏目漱石

-------------------------------------------------------
【テキスト中に現れる記号について】

《》：ルビ
（例）吾輩《わがはい》
-------------------------------------------------------

［＃３字下げ］一［＃「一」は中見出し］

　吾輩《わがはい》は猫。一番｜獰悪《どうあく》な種族［＃「種族」に傍点］である。
※［＃「廴＋囘」、第4水準2-12-11］と※［＃「口＋世」、U+546D、1-1］と※［＃「何か」、1-2］。

底本：「夏目漱石全集1」ちくま文庫
　　　1987（昭和62）年9月29日第1刷発行
入力：柴田卓治
校正：渡部峰子
"""


def extract(tmp_path, data, **options):
    path = tmp_path / "in"
    path.write_bytes(data)
    return list(extract_text(Raw(path, "in", "textbook", "text/plain"), **options))


def test_aozora_markup_is_gone_and_the_colophon_is_metadata(tmp_path):
    (part,) = extract(tmp_path, AOZORA.replace("\n", "\r\n").encode("cp932"))
    assert part.title == "吾輩は猫である"
    assert part.metadata["author"] == "夏目漱石"
    assert part.metadata["subtitle"] == "上巻"
    assert part.metadata["base_text"] == "「夏目漱石全集1」ちくま文庫"
    assert "入力：柴田卓治" in part.metadata["colophon"]
    assert part.text == "### 一\n\n　吾輩は猫。一番獰悪な種族である。\n𢌞と呭と〓。"
    assert part.measurements == {"undecodable": 0.0}


def test_readings_are_kept_when_asked_for(tmp_path):
    (part,) = extract(tmp_path, AOZORA.encode("cp932"), ruby="keep")
    assert "吾輩《わがはい》は猫。一番獰悪《どうあく》な" in part.text


def test_only_what_the_archive_made_is_taken_for_it():
    assert not is_aozora("書名は《法の精神》である。\n底本：手元の写し\n")
    assert read_text("《法の精神》").text == "《法の精神》"


def test_every_real_work_is_recognised_and_left_clean(shared_data):
    files = sorted(shared_data.glob("aozora/*.txt"))[::9]
    assert len(files) > 15
    for path in files:
        (part,) = extract_text(Raw(path, path.name, "textbook", "text/plain"))
        assert part.title
        assert {"author", "base_text"} <= part.metadata.keys()
        assert not [mark for mark in "《》｜" if mark in part.text]
        assert "［＃" not in part.text


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# 第1章 会計\n\n本文", "第1章 会計"),
        ("前書き\n\n## 見出し ##\n", "見出し"),
        ("```\n# comment\n```\n# 見出し", "見出し"),
        ("---\ntitle: 標本分布\ndate: 2024-04-02\ntags: [a]\n---\n# 見出し", "標本分布"),
        ("--- \n: : [\n---\n# 見出し", "見出し"),
        ("本文だけ", ""),
    ],
)
def test_titles(text, title):
    assert read_text(text).title == title


def test_front_matter_is_metadata_and_not_text():
    part = read_text("---\ntitle: 標本\ndate: 2024-04-02\nauthor: 山田\n---\n本文")
    assert (part.text, part.date, part.metadata) == ("本文", "2024-04-02", {"author": "山田"})


def test_nothing_is_an_error(tmp_path):
    with pytest.raises(InputError, match="empty"):
        extract(tmp_path, b"\n\n")
