"""ITI-32 Distribute Document Set on Media, as a zip in a mail (ITI TF-2: 3.32).

Strategy: documents are taken by what is in the archive, never only by what METADATA.XML lists;
metadata is joined to a file by URI, hash or id, or where there is no other choice, and to none
where it could be another's. Senders put the tree one folder deeper, write backslashes or lower
case, leave out the URI, the index or the metadata itself, and put several submission sets into
one package: all of that is read, and each flaw said.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import escape
from typing import Final

from ccda.errors import CcdaError
from ccda.safe_xml import Limits, parse_xml, serialize_xml
from ihe.association import read_association
from ihe.ebrim import read_document_entry
from ihe.errors import MalformedMessage, MessageTooLarge
from ihe.metadata import DocumentEntry, SubmissionSet
from ihe.registry_package import read_registry_package
from ihe.rim import rim
from ihe.submission import classified, loose_classifications, memberships, write_submit_objects
from ihe.zip_archive import DEFAULT_LIMITS, ZipLimits, list_files, unpack

_METADATA: Final = "metadata.xml"
_MOST_SETS: Final = 20
_METADATA_LIMITS: Final = Limits(size_bytes=2 * 1024 * 1024)
# What other systems leave in an archive that no person put there.
_LEFT_BEHIND: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_COMPANIONS: Final = frozenset({"index.htm", "index.html", "readme.txt", "readme", "readme.md"})
_STYLES: Final = (".xsl", ".xslt", ".css", ".js", ".xsd", ".dtd")
_EXTENSIONS: Final = {
    "text/xml": "XML", "application/xml": "XML", "application/pdf": "PDF", "text/plain": "TXT",
    "text/html": "HTM", "image/jpeg": "JPG", "image/png": "PNG", "image/tiff": "TIF",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class XdmFile:
    """A file of the package. `entry` is what METADATA.XML surely says of it.

    `is_companion`: it came along for the package's or the document's sake (index, style sheet,
    metadata). `defects` says in our words where metadata and bytes disagree.
    """

    path: str
    content: bytes
    entry: DocumentEntry | None = None
    submission_set: SubmissionSet | None = None
    is_companion: bool = False
    defects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class XdmPackage:
    """What an archive holds; `is_xdm` when it has metadata. `defects` are the package's own."""

    files: tuple[XdmFile, ...]
    submission_sets: tuple[SubmissionSet, ...] = ()
    is_xdm: bool = False
    defects: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[XdmFile, ...]:
        """The files that are content."""
        return tuple(file for file in self.files if not file.is_companion)


@dataclass(frozen=True, slots=True)
class XdmSubmission:
    """A submission set to be written, with each document's metadata and bytes."""

    submission_set: SubmissionSet
    documents: tuple[tuple[DocumentEntry, bytes], ...]


# ---- reading ---------------------------------------------------------------------------------


def read_xdm(content: bytes, *, limits: ZipLimits = DEFAULT_LIMITS) -> XdmPackage:
    """What the archive holds, an XDM package or any other zip.

    Raises:
        MalformedMessage: no archive that can be read, or one made to deceive.
        MessageTooLarge: a limit is reached.
    """
    defects: list[str] = []
    contents: dict[str, bytes] = {}
    for entry in list_files(content, limits=limits):
        if _is_left_behind(entry.name):
            continue
        if entry.name in contents:
            defects.append("two files of the package have one name: the first counts")
            continue
        try:
            contents[entry.name] = unpack(content, entry)
        except MalformedMessage as error:
            defects.append(error.reason)
    described = [path for path in contents if _base(path) == _METADATA]
    if len(described) > _MOST_SETS:
        raise MessageTooLarge("the package has more submission sets than we take")
    known: dict[str, XdmFile] = {}
    sets: list[SubmissionSet] = []
    for path in described:
        submitted = _read_metadata(contents[path], defects)
        sets += submitted.sets
        known |= _join(_folder(path), submitted, contents, known, defects)
    files = tuple(
        known.get(path) or XdmFile(path, data, is_companion=_is_companion(path))
        for path, data in contents.items()
    )
    return XdmPackage(files, tuple(sets), bool(described), tuple(defects))


@dataclass(frozen=True, slots=True)
class _Submitted:
    """One METADATA.XML."""

    entries: tuple[DocumentEntry, ...] = ()
    sets: tuple[SubmissionSet, ...] = ()
    members: Mapping[str, SubmissionSet] = field(default_factory=dict)
    """The set by the entry's id."""

    def set_of(self, entry: DocumentEntry) -> SubmissionSet | None:
        return self.sets[0] if len(self.sets) == 1 else self.members.get(entry.entry_uuid)


def _read_metadata(content: bytes, defects: list[str]) -> _Submitted:
    try:
        root = parse_xml(content, limits=_METADATA_LIMITS)
    except CcdaError as error:
        defects.append(f"METADATA.XML cannot be read: {error}")
        return _Submitted()
    entries, sets, members = [], [], {}
    loose = loose_classifications(root)
    for element in root.iter(rim("ExtrinsicObject"), rim("RegistryPackage"), rim("Association")):
        try:
            if element.tag == rim("ExtrinsicObject"):
                entries.append(read_document_entry(element))
            elif element.tag == rim("Association"):
                association = read_association(element)
                members[association.target] = association.source
            else:
                package = read_registry_package(classified(element, loose))
                if isinstance(package, SubmissionSet):
                    sets.append(package)
        except MalformedMessage as error:
            defects.append(f"METADATA.XML: {error.reason}")
    if not entries:
        defects.append("METADATA.XML describes no document")
    by_id = {each.entry_uuid: each for each in sets}
    joined = {target: by_id[source] for target, source in members.items() if source in by_id}
    return _Submitted(tuple(entries), tuple(sets), joined)


class _Shelf:
    """The files that no metadata describes yet, to be found by path, hash or name.

    Each file is hashed once: metadata may list thousands of entries.
    """

    def __init__(self, contents: Mapping[str, bytes], known: Mapping[str, XdmFile]) -> None:
        free = (path for path in contents if path not in known and not _is_companion(path))
        self._free = dict.fromkeys(free)
        self._by_path = {path.lower(): path for path in self._free}
        self._by_hash: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for path in self._free:
            self._by_hash.setdefault(_sha1(contents[path]), []).append(path)
            self._by_stem.setdefault(_base(path).rpartition(".")[0], []).append(path)

    def take(self, entry: DocumentEntry, folder: str) -> str | None:
        path = self._path_of(entry, folder)
        if path is not None:
            del self._free[path]
        return path

    def take_only(self, folder: str) -> str | None:
        """The file of that folder, if one alone is left there."""
        inside = [path for path in self._free if _folder(path) == folder]
        if len(inside) != 1:
            return None
        del self._free[inside[0]]
        return inside[0]

    def _path_of(self, entry: DocumentEntry, folder: str) -> str | None:
        if entry.uri is not None:
            uri = entry.uri.replace("\\", "/").removeprefix("./").lstrip("/").lower()
            for wanted in (f"{folder}/{uri}".lower().lstrip("/"), uri):
                if (path := self._by_path.get(wanted)) is not None and path in self._free:
                    return path
        if entry.hash is not None:
            same = self._by_hash.get(entry.hash.strip().lower(), [])
            same = [path for path in same if path in self._free]
            if len(same) == 1:
                return same[0]
        if entry.uri is not None:
            return None
        # Quirk: no URI, but the file is named as the entry is; seen in xd-common's samplexdm.zip.
        named = self._by_stem.get(entry.entry_uuid.lower(), [])
        named = [path for path in named if path in self._free]
        return named[0] if len(named) == 1 else None


def _join(
    folder: str,
    submitted: _Submitted,
    contents: Mapping[str, bytes],
    known: Mapping[str, XdmFile],
    defects: list[str],
) -> dict[str, XdmFile]:
    """Which file each entry describes, as far as that is certain."""
    shelf = _Shelf(contents, known)
    paths = [(entry, shelf.take(entry, folder)) for entry in submitted.entries]
    lost = [entry for entry, path in paths if path is None]
    if len(lost) == 1 and lost[0].uri is None:
        only = shelf.take_only(folder)
        paths = [(entry, path or only) for entry, path in paths]
    missing = sum(path is None for _, path in paths)
    if missing:
        defects.append(f"{missing} documents of METADATA.XML are not in the package")
    return {
        path: _described(path, contents[path], entry, submitted.set_of(entry))
        for entry, path in paths
        if path is not None
    }


def _described(
    path: str, content: bytes, entry: DocumentEntry, given: SubmissionSet | None
) -> XdmFile:
    defects = []
    if entry.size_bytes is not None and entry.size_bytes != len(content):
        defects.append("the size is not what METADATA.XML says")
    if entry.hash is not None and entry.hash.strip().lower() != _sha1(content):
        defects.append("the hash is not what METADATA.XML says")
    return XdmFile(path, content, entry, given, defects=tuple(defects))


def _sha1(content: bytes) -> str:
    # SHA-1 is what XDS calls the hash (ITI TF-3: 4.2.3.2.10); it secures nothing here.
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _base(path: str) -> str:
    return path.rpartition("/")[2].lower()


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _is_left_behind(path: str) -> bool:
    return path.startswith("__MACOSX/") or _base(path) in _LEFT_BEHIND


def _is_companion(path: str) -> bool:
    base = _base(path)
    return base == _METADATA or base in _COMPANIONS or base.endswith(_STYLES)


# ---- writing ---------------------------------------------------------------------------------


def write_xdm(submissions: Sequence[XdmSubmission], *, organization: str, now: datetime) -> bytes:
    """The package: index, read-me, and one folder a submission set (ITI TF-2: 3.32.4.1.2).

    Hash, size and URI of each entry are made here from the bytes. Nothing but the documents and
    their metadata names a patient.

    Raises:
        ValueError: there is nothing to write, or `now` is before 1980.
    """
    if not submissions or not all(each.documents for each in submissions):
        raise ValueError("a package has a submission set, and each of them a document")
    listed: list[tuple[str, str]] = []
    files: list[tuple[str, bytes]] = []
    for number, submission in enumerate(submissions, 1):
        folder = f"IHE_XDM/SUBSET{number:02}"
        entries = []
        for place, (entry, content) in enumerate(submission.documents, 1):
            name = f"DOC{place:05}.{_EXTENSIONS.get(entry.mime_type or '', 'BIN')}"
            entries.append(replace(entry, uri=name, hash=_sha1(content), size_bytes=len(content)))
            files.append((f"{folder}/{name}", content))
            listed.append((f"{folder}/{name}", entry.mime_type or "document"))
        given = submission.submission_set
        metadata = serialize_xml(write_submit_objects(given, entries, memberships(given, entries)))
        files.append((f"{folder}/METADATA.XML", metadata))
    front = [("INDEX.HTM", _index(listed, organization)), ("README.TXT", _readme(organization))]
    return _zip([*front, *files], now)


def _index(listed: Sequence[tuple[str, str]], organization: str) -> bytes:
    items = "".join(
        f'<li><a href="{escape(path)}">{escape(path)}</a> ({escape(kind)})</li>\r\n'
        for path, kind in listed
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML Basic 1.0//EN" '
        '"http://www.w3.org/TR/xhtml-basic/xhtml-basic10.dtd">\r\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en"><head>'
        "<title>Documents</title></head>\r\n<body>\r\n"
        f"<h1>Documents from {escape(organization)}</h1>\r\n<ul>\r\n{items}</ul>\r\n"
        '<p><a href="README.TXT">README.TXT</a></p>\r\n</body></html>\r\n'
    ).encode()


def _readme(organization: str) -> bytes:
    text = (
        f"From: {organization}\r\n"
        "This is an IHE XDM package (ITI-32). INDEX.HTM lists its documents; each folder under\r\n"
        "IHE_XDM is a submission set, described by its METADATA.XML.\r\n"
    )
    return text.encode()


def _zip(files: Sequence[tuple[str, bytes]], now: datetime) -> bytes:
    moment = (now.year, now.month, now.day, now.hour, now.minute, now.second)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()
