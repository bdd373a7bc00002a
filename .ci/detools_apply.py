"""Applies patches of this repository with detools of PyPI, and compares what comes out.

Usage: detools_apply.py FOLDER IMAGES

FOLDER has the patches and list.json, IMAGES the images that the list names. .ci/detools runs it.
"""

import io
import json
import pathlib
import sys

import detools


def apply(patch, old, memory):
    """Returns what the patch makes of the old image; memory is the flash of a device with one slot, or 0."""
    if not memory:
        made = io.BytesIO()
        detools.apply_patch(io.BytesIO(old), io.BytesIO(patch), made)
        return made.getvalue()
    flash = io.BytesIO(old + bytes(memory - len(old)))
    size = detools.apply_patch_in_place(flash, io.BytesIO(patch))
    return flash.getvalue()[:size]


def main(folder, images):
    entries = json.loads((folder / "list.json").read_text())
    wrong = 0
    for entry in entries:
        patch = (folder / entry["Patch"]).read_bytes()
        old, new = (images / entry["Old"]).read_bytes(), (images / entry["New"]).read_bytes()
        try:
            made = apply(patch, old, entry["Memory"] if entry["InPlace"] else 0)
        except detools.Error as error:
            made = f"refused: {error}"
        if made == new:
            continue
        wrong += 1
        print(f"{entry}: {made if isinstance(made, str) else 'another image'}", file=sys.stderr)
    print(f"detools {detools.__version__} applied {len(entries) - wrong} of {len(entries)} patches")
    return 1 if wrong or not entries else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
