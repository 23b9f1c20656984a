"""The published files of a build on object storage: brought here to be read, put there when they are made.

A reader trusts the manifest alone. So it is deleted before anything of a build is replaced, and put when everything
that it names is there with the right size.
"""

from __future__ import annotations

from registry.errors import RecordError, StageError
from registry.layout import AUDITED, PUBLISHED, Layout
from registry.manifest import FileRecord, Manifest, read_manifest
from registry.mirror import Mirror, mirror_of
from registry.publish import digest


def catch_up(layout: Layout) -> None:
    """Make manifest, owner and memory of the inventory what the storage has; forget copies of another build's files."""
    mirror = mirror_of(layout.root)
    if mirror is None:
        return
    before = layout.manifest.read_bytes() if layout.manifest.is_file() else b""
    for path in (layout.manifest, layout.owner, layout.inventory):
        mirror.refresh(path)
    manifest = read_manifest(layout.manifest)
    if manifest is None or layout.manifest.read_bytes() == before:
        return
    for name, file in manifest.files.items():
        path = layout.root / name
        if path.is_file() and digest(path) != file.sha256:
            path.unlink()


def bring(layout: Layout, manifest: Manifest) -> None:
    """Copy here what is published and not here yet; what was audited, whatever is here.

    Raises:
        RecordError: the storage has not got a file that the manifest names.
    """
    mirror = mirror_of(layout.root)
    if mirror is None:
        return
    there = _published(mirror, layout)
    try:
        mirror.fetch([layout.root / name for name in {*manifest.files, *there}])
    except FileNotFoundError as error:
        raise RecordError(f"{layout.shown} is not whole: {error}; build again") from None
    for name in AUDITED:
        for path in (layout.root / name).glob("*") if name == "card" else [layout.root / name]:
            path.unlink(missing_ok=True)
    mirror.fetch([mirror.root / name for name in mirror.sizes(layout.root) if name.partition("/")[0] in AUDITED])


def publish(layout: Layout, manifest: Manifest) -> None:
    """Put the finished build at `layout` where others see it: what changed, then what is gone, the manifest last.

    Raises:
        StageError: the storage lists a file with another size than the one that was put.
    """
    mirror = mirror_of(layout.root)
    if mirror is None:
        return
    before = _files_before(mirror, layout)
    there = _published(mirror, layout)
    here = {mirror.name(path): path for name in PUBLISHED for path in (layout.root / name).rglob("*") if path.is_file()}
    mirror.storage.delete(
        ["manifest.json", *(name for name in mirror.sizes(layout.root) if name.partition("/")[0] in AUDITED)]
    )
    same = {name for name, file in manifest.files.items() if before.get(name) == file and there.get(name) == file.bytes}
    mirror.put(path for name, path in here.items() if name not in same)
    mirror.storage.delete(sorted(set(there) - set(here)))
    there = _published(mirror, layout)
    wrong = sorted(name for name, path in here.items() if there.get(name) != path.stat().st_size)
    if wrong:
        raise StageError(f"{layout.shown}/{wrong[0]} is not there as it was put; run the same command again")
    mirror.put([layout.manifest])


def remove(layout: Layout) -> None:
    """Delete a build and its intermediates from the storage, the manifest first."""
    mirror = mirror_of(layout.root)
    if mirror is None:
        return
    made = {*AUDITED, *PUBLISHED, layout.work.name}
    there = [name for name in mirror.sizes(layout.root, fresh=True) if name.partition("/")[0] in made]
    mirror.storage.delete(["manifest.json"])
    mirror.storage.delete(there)
    mirror.forget()


def _published(mirror: Mirror, layout: Layout) -> dict[str, int]:
    sizes = mirror.sizes(layout.root, fresh=True)
    return {name: size for name, size in sizes.items() if name.partition("/")[0] in PUBLISHED}


def _files_before(mirror: Mirror, layout: Layout) -> dict[str, FileRecord]:
    """What the build that is there says of its files."""
    copy = layout.work / "replaced.json"
    try:
        manifest = read_manifest(mirror.storage.get("manifest.json", copy))
    except (FileNotFoundError, RecordError):
        return {}
    finally:
        copy.unlink(missing_ok=True)
    return manifest.files if manifest else {}
