"""The dataset's card: README.md with the front matter of the Hugging Face hub, and croissant.json with its lineage.

In: an opened build and the audit's numbers. Out: two texts that say what is in the corpus, from which sources under
which licences, and by which steps it was made. They belong into the root of the published dataset, beside documents/.
Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html) with PROV-O activities and entities;
`mlcroissant validate` accepts it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from corpus.audit.page import compose_text, licence
from registry.data import read_data
from registry.ledger import text_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corpus.opened import OpenedBuild
    from registry.manifest import Manifest

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_FORMATS = {".parquet": "application/vnd.apache.parquet", ".arrow": "application/vnd.apache.arrow.stream"}
_DATA = Path(__file__).parent / "audit" / "croissant.yaml"
_MEANING = {
    "string": "sc:Text",
    "large_string": "sc:Text",
    "double": "sc:Float",
    "int64": "sc:Integer",
}


def card(opened: OpenedBuild, figures: dict[str, Any]) -> dict[str, str]:
    """README.md and croissant.json by name."""
    manifest = opened.manifest
    values = {"m": manifest, "f": figures, "front": _front_matter(manifest, figures), "licence": licence}
    return {
        "README.md": compose_text("README.md.jinja", **values),
        "croissant.json": json.dumps(croissant(manifest, figures), ensure_ascii=False, indent=1) + "\n",
    }


def _front_matter(manifest: Manifest, figures: dict[str, Any]) -> str:
    kept = figures["funnel"]["kept"]
    licences = sorted({name for source in manifest.sources.values() for name in licence(source.licence)["hub"]})
    folders = {name.partition("/")[0] for name in manifest.files}
    matter = {
        "pretty_name": manifest.name,
        "language": ["ja"],
        "license": licences if len(licences) > 1 else licences[0],
        "size_categories": [next((name for limit, name in _SIZES if kept < limit), "n>1M")],
        "task_categories": ["text-generation"],
        "configs": [
            {
                "config_name": name,
                "data_files": f"{name}/*.parquet",
                **({"default": True} if name == "documents" else {}),
            }
            for name in ("documents", "rejects")
            if name in folders
        ],
    }
    return yaml.safe_dump(matter, allow_unicode=True, sort_keys=False)


def croissant(manifest: Manifest, figures: dict[str, Any]) -> dict[str, Any]:
    """Croissant 1.1 as plain data."""
    funnel = figures["funnel"]
    data = read_data(_DATA)
    return {
        "@context": data["context"],
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": manifest.name,
        "description": (
            f"{funnel['kept']:,} documents, {funnel['characters']:,} characters and {funnel['tokens']:,} tokens kept "
            f"of {funnel['documents']:,} documents from {len(manifest.sources)} sources."
        ),
        "version": f"{manifest.version}+{manifest.fingerprint[:12]}",
        "inLanguage": "ja",
        "license": sorted({source.licence for source in manifest.sources.values()}),
        "distribution": [*_files(manifest), *_sets(manifest)],
        "recordSet": [_records(name) for name in _folders(manifest)],
        "prov:wasDerivedFrom": [_source(manifest, figures, name) for name in manifest.sources],
        "prov:wasGeneratedBy": list(_activities(manifest, data["activities"])),
    }


def _folders(manifest: Manifest) -> list[str]:
    """Of documents/ and rejects/ those that the build has."""
    return [name for name in ("documents", "rejects") if any(f.startswith(f"{name}/") for f in manifest.files)]


def _files(manifest: Manifest) -> Iterator[dict[str, Any]]:
    for name, file in manifest.files.items():
        yield {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{file.bytes} B",
            "encodingFormat": _FORMATS.get(Path(name).suffix, "application/octet-stream"),
            "sha256": file.sha256,
        }


def _sets(manifest: Manifest) -> Iterator[dict[str, Any]]:
    for folder in _folders(manifest):
        yield {
            "@type": "cr:FileSet",
            "@id": folder,
            "name": folder,
            "containedIn": [{"@id": name} for name in manifest.files if name.startswith(f"{folder}/")],
            "encodingFormat": _FORMATS[".parquet"],
            "includes": f"{folder}/*.parquet",
        }


def _records(folder: str) -> dict[str, Any]:
    name = f"{folder}-rows"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": f"{name}/id"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{field.name}",
                "name": field.name,
                "dataType": _MEANING[str(field.type)],
                "source": {"fileSet": {"@id": folder}, "extract": {"column": field.name}},
            }
            for field in text_schema()
            if str(field.type) in _MEANING
        ],
    }


def _source(manifest: Manifest, figures: dict[str, Any], name: str) -> dict[str, Any]:
    source = manifest.sources[name]
    return {
        "@type": "prov:Entity",
        "@id": f"#source-{name}",
        "name": name,
        "license": source.licence,
        "description": f"{source.inputs:,} inputs of {source.bytes:,} bytes, kind {source.kind}",
        "sha256": figures["bill"].get(name, ""),
    }


def _activities(manifest: Manifest, told: dict[str, str]) -> Iterator[dict[str, Any]]:
    """One per stage; each used what the one before it made."""
    agent = {
        "@type": "prov:SoftwareAgent",
        "@id": "#corpus-foundry",
        "name": f"corpus-foundry {manifest.version}",
        "description": ", ".join(f"{name} {version}" for name, version in sorted(manifest.libraries.items())),
    }
    before: list[dict[str, str]] = [{"@id": f"#source-{name}"} for name in manifest.sources]
    for stage, description in told.items():
        options = manifest.recipe.get(stage)
        yield {
            "@type": "prov:Activity",
            "@id": f"#{stage}",
            "name": stage,
            "description": description,
            "prov:used": before,
            "prov:wasAssociatedWith": agent,
            **({"prov:hadPlan": json.dumps(options, ensure_ascii=False, sort_keys=True)} if options else {}),
        }
        before = [{"@id": f"#{stage}"}]
