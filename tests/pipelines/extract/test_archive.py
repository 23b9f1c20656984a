"""Every member of an archive is an input; no name leads out of it, no bomb goes off, and nothing is lost silently."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile

import pytest
import zstandard

from pipelines.extract.archive import Unpacker, is_archive, list_members
from registry.errors import InputError

PAGE = "<html><body><p>売上高は△12百万円でした。</p></body></html>".encode()
MANIFEST = (
    '<?xml version="1.0" encoding="UTF-8"?><manifest xmlns="http://disclosure.edinet-fsa.go.jp/2013/manifest"><list>'
    '<instance id="a" preferredFilename="a.xbrl">{}</instance></list></manifest>'
)


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def tarred(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def names(path):
    return [member.name for member in list_members(path)]


MEMBERS = [("b/二.html", PAGE), ("a.txt", b"text"), ("b/.hidden", b"x"), ("__MACOSX/a", b"x")]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.zst"])
def test_members_are_listed_with_their_digests_and_come_back_whole(tmp_path, kind):
    path = tmp_path / f"archive.{kind}"
    if kind == "zip":
        zipped(path, MEMBERS)
    else:
        tarred(path, MEMBERS, "w:gz" if kind == "tar.gz" else "w")
    if kind == "tar.zst":
        path.write_bytes(zstandard.compress(path.read_bytes()))
    assert is_archive(path)
    members = list_members(path)
    assert [(m.name, m.bytes, m.error) for m in members] == [("b/二.html", len(PAGE), ""), ("a.txt", 4, "")]
    unpacker = Unpacker(tmp_path)
    for member in [*members, members[0]]:  # in order, and back again
        data = unpacker.fetch(path, member.name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == member.sha256


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_file_is_an_archive_of_one(tmp_path, pack):
    path = tmp_path / "page.html.gz"
    path.write_bytes(pack(PAGE))
    assert names(path) == ["page.html"]
    assert Unpacker(tmp_path).fetch(path, "page.html").read_bytes() == PAGE


def test_records_and_office_files_are_no_archives(tmp_path):
    records = tmp_path / "records.jsonl.gz"
    records.write_bytes(gzip.compress(b'{"text": "a"}\n' * 3))
    office = zipped(tmp_path / "a.docx", [("[Content_Types].xml", "<x/>"), ("word/document.xml", "<x/>")])
    text = tmp_path / "a.txt"
    text.write_text("PK is no zip")
    assert [is_archive(path) for path in (records, office, text)] == [False, False, False]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "C:/x", "a\\..\\b", "x\ny"])
def test_a_name_that_leads_out_is_an_error_and_nothing_is_written_there(tmp_path, name):
    path = tarred(tmp_path / "a.tar", [(name, b"evil"), ("good.txt", b"good")])
    bad, good = sorted(list_members(path), key=lambda member: not member.error)
    assert bad.error.startswith("unsafe: ")
    assert ".." not in bad.name.split("/")
    assert not bad.name.startswith("/")
    assert (good.name, good.error) == ("good.txt", "")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.tar"]


def test_links_and_devices_are_told_and_not_followed(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for kind, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"), (tarfile.CHRTYPE, "device")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert {member.error for member in list_members(path)} == {"unsupported: a link or device, no file"}


def test_a_bomb_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.extract.archive.ALWAYS_FINE", 1 << 10)
    monkeypatch.setattr("pipelines.extract.archive.MOST_PACKED", 100)
    path = zipped(tmp_path / "bomb.zip", [("zeros", bytes(10 << 20)), ("a.txt", b"text")])
    assert [member.error.partition(":")[0] for member in list_members(path)] == ["too_large", ""]
    packed = tmp_path / "bomb.gz"
    packed.write_bytes(gzip.compress(bytes(10 << 20)))
    assert list_members(packed)[0].error.startswith("too_large")


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.extract.archive.MOST_MEMBERS", 3)
    path = zipped(tmp_path / "many.zip", [(f"{n}.txt", b"") for n in range(5)])
    with pytest.raises(InputError, match="too_large"):
        list_members(path)


def test_passwords_and_repeated_names_are_told(tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.txt", b"one"), ("a.txt", b"two")])
    assert names(path) == ["a.txt", "a.txt#1"]
    assert Unpacker(tmp_path).fetch(path, "a.txt#1").read_bytes() == b"two"
    locked = bytearray(zipped(tmp_path / "b.zip", [("a.txt", b"one")]).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + offset] |= 1
    (tmp_path / "b.zip").write_bytes(locked)
    assert list_members(tmp_path / "b.zip")[0].error.startswith("encrypted: ")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_archive_gives_what_is_whole_and_a_reason(tmp_path, kind, share):
    members = [(f"{n}.html", PAGE + hashlib.sha256(bytes([n])).hexdigest().encode() * 40) for n in range(20)]
    path = tmp_path / f"a.{kind}"
    zipped(path, members) if kind == "zip" else tarred(path, members, "w:gz" if kind == "tar.gz" else "w")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    try:
        errors = [member.error for member in list_members(path)]
    except InputError as error:
        errors = [error.reason]
    assert any(error.startswith("broken") for error in errors) or len(errors) == len(members)


def test_an_edinet_package_gives_its_reports_in_the_order_of_the_manifests(tmp_path):
    public, audit = "XBRL/PublicDoc/", "XBRL/AuditDoc/"
    listed = "".join(f"<ixbrl>{name}</ixbrl>" for name in ("0101010.htm", "0000000.htm"))
    path = zipped(
        tmp_path / "S100.zip",
        [
            (audit + "manifest_AuditDoc.xml", MANIFEST.format("<ixbrl>audit.htm</ixbrl>")),
            (public + "0000000.htm", PAGE),
            (public + "0101010.htm", PAGE),
            (public + "a.xbrl", "<xbrl/>"),
            (public + "a.xsd", "<x/>"),
            (public + "images/1.png", b"\x89PNG"),
            (audit + "audit.htm", PAGE),
            (public + "manifest_PublicDoc.xml", MANIFEST.format(listed)),
        ],
    )
    assert names(path) == [public + "0101010.htm", public + "0000000.htm", audit + "audit.htm"]
    classic = zipped(tmp_path / "old.zip", [("manifest_PublicDoc.xml", MANIFEST.format("")), ("a.xbrl", "<xbrl/>")])
    assert names(classic) == ["a.xbrl"]


def test_a_book_gives_its_chapters_in_reading_order(tmp_path):
    container = '<container xmlns="urn:x"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="one.xhtml"/><item id="b" href="tw%6F.xhtml"/>'
        '<item id="s" href="s.css"/></manifest><spine><itemref idref="b"/><itemref idref="a"/></spine></package>'
    )
    path = zipped(
        tmp_path / "a.epub",
        [
            ("mimetype", "application/epub+zip"),
            ("META-INF/container.xml", container),
            ("OEBPS/book.opf", opf),
            ("OEBPS/one.xhtml", PAGE),
            ("OEBPS/two.xhtml", PAGE),
            ("OEBPS/s.css", "p {}"),
        ],
    )
    assert names(path) == ["OEBPS/two.xhtml", "OEBPS/one.xhtml"]


def test_japanese_names_without_the_utf8_flag_are_read(tmp_path):
    path = zipped(tmp_path / "a.zip", [("XXXX.txt", b"a")])
    path.write_bytes(path.read_bytes().replace(b"XXXX", "報告".encode("cp932")))
    assert names(path) == ["報告.txt"]


@pytest.mark.parametrize("between", ["/", "\\"])
@pytest.mark.parametrize("listed", [True, False])
def test_a_package_of_edinet_from_any_machine(tmp_path, between, listed):
    """Names in CP932 with either separator, the manifest first or last or missing, the auditors' report before ours."""
    members = [
        ("XBRL/AuditDoc/jpaud-aai-cc-001.htm", PAGE + b"3"),
        ("XBRL/PublicDoc/0102010_本文表.htm", PAGE + b"2"),
        ("XBRL/PublicDoc/0101010_表紙.htm", PAGE + b"1"),
    ]
    listing = "".join(f"<ixbrl>{name.rpartition('/')[2]}</ixbrl>" for name, _ in reversed(members[1:]))
    manifests = [
        ("XBRL/PublicDoc/manifest_PublicDoc.xml", MANIFEST.format(listing).encode()),
        ("XBRL/AuditDoc/manifest_AuditDoc.xml", MANIFEST.format("<ixbrl>jpaud-aai-cc-001.htm</ixbrl>").encode()),
    ]
    path = tmp_path / "package.zip"
    packed = [manifests[1], *members, manifests[0]] if listed else members
    names_packed = [name.replace("/", between).encode("cp932") for name, _ in packed]
    stand_ins = [chr(ord("A") + n) * len(name) for n, name in enumerate(names_packed)]  # zipfile itself writes UTF-8
    zipped(path, zip(stand_ins, (data for _, data in packed), strict=True))
    raw = path.read_bytes()
    for stand_in, name in zip(stand_ins, names_packed, strict=True):
        raw = raw.replace(stand_in.encode(), name)
    path.write_bytes(raw)
    found = [member for member in list_members(path) if not member.error]
    wanted = [members[2][0], members[1][0], members[0][0]] if listed else [name for name, _ in members]
    assert [member.name for member in found] == wanted
    unpacker = Unpacker(tmp_path)
    for member in found:
        assert unpacker.fetch(path, member.name).read_bytes() == dict(members)[member.name]
