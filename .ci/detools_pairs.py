"""Holds `starling delta` against detools of PyPI, for each pair of real images and each kind of patch: detools
applies what starling has made, and starling applies what detools has made.

Usage: detools_pairs.py STARLING IMAGES

STARLING is the program, IMAGES a folder of pairs (old.bin and new.bin). .ci/detools runs it.
"""

import io
import pathlib
import subprocess
import sys
import tempfile

import detools

# Kinds of patches: arguments of `starling delta create`, and of detools.create_patch. A kind with a segment
# size is in place; the memory is that of the images and some segments, as given.
KINDS = [
    (["--compressor", "heatshrink", "--window", "8", "--lookahead", "7"], {"compression": "heatshrink"}, None),
    (["--compressor", "heatshrink", "--compression", "11"],
     {"compression": "heatshrink", "heatshrink_window_sz2": 11, "heatshrink_lookahead_sz2": 9}, None),
    (["--compressor", "crle"], {"compression": "crle"}, None),
    (["--compressor", "none"], {"compression": "none"}, None),
    (["--compressor", "heatshrink", "--compression", "11"],
     {"compression": "heatshrink", "heatshrink_window_sz2": 11, "heatshrink_lookahead_sz2": 10}, (4096, 3)),
    (["--compressor", "heatshrink", "--window", "8", "--lookahead", "7"], {"compression": "heatshrink"}, (2048, 6)),
    (["--compressor", "crle"], {"compression": "crle"}, (4096, 4)),
    (["--compressor", "none"], {"compression": "none"}, (4096, 3)),
]


def run(*command):
    """Returns what a command writes; what it says beside that is of interest if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise Refused(done.stderr.decode().strip())
    return done.stdout


class Refused(Exception):
    """A command has failed, with this text."""


def starling_creates(starling, old, new, arguments, memory, segment):
    """Returns the patch that the command line makes."""
    arguments = ["--format", "detools-inplace" if memory else "detools", *arguments]
    if memory:
        arguments += ["--memory", str(memory), "--segment", str(segment)]
    return run(starling, "delta", "create", "--from", old, "--to", new, "-o", "-", *arguments)


def starling_applies(starling, old, patch):
    """Returns the image that the command line makes of a patch."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(patch)
        file.flush()
        return run(starling, "delta", "apply", "--from", old, "--patch", file.name, "-o", "-")


def detools_creates(old, new, options, memory, segment):
    """Returns the patch that detools makes."""
    if memory:
        options = {**options, "patch_type": "in-place", "memory_size": memory, "segment_size": segment}
    patch = io.BytesIO()
    detools.create_patch(io.BytesIO(old), io.BytesIO(new), patch, use_mmap=False, **options)
    return patch.getvalue()


def detools_applies(old, patch, memory):
    """Returns the image that detools makes; memory is the flash of a device with one slot, or 0."""
    if not memory:
        made = io.BytesIO()
        detools.apply_patch(io.BytesIO(old), io.BytesIO(patch), made)
        return made.getvalue()
    flash = io.BytesIO(old + bytes(memory - len(old)))
    size = detools.apply_patch_in_place(flash, io.BytesIO(patch))
    return flash.getvalue()[:size]


def main(starling, images):
    """Returns how many patches made something else than they should have."""
    pairs = sorted(p.parent for p in images.glob("*/new.bin"))
    tried, wrong = 0, 0
    for pair in pairs:
        paths = pair / "old.bin", pair / "new.bin"
        old, new = (path.read_bytes() for path in paths)
        for arguments, options, place in KINDS:
            memory, segment = 0, 0
            if place:
                segment = place[0]
                memory = (max(len(old), len(new)) // segment + place[1]) * segment
            ours = starling_creates(starling, *paths, arguments, memory, segment)
            theirs = detools_creates(old, new, options, memory, segment)
            for who, apply in (
                    ("detools", lambda: detools_applies(old, ours, memory)),
                    ("starling", lambda: starling_applies(starling, paths[0], theirs))):
                tried += 1
                try:
                    if apply() == new:
                        continue
                    says = "makes another image"
                except (detools.Error, Refused) as error:
                    says = f"refuses: {error}"
                wrong += 1
                print(f"{pair.name}, {arguments}, memory {memory}: {who} {says}", file=sys.stderr)
    print(f"{len(pairs)} pairs of images, {tried} patches of starling and of detools {detools.__version__}: "
          f"the other one applied {tried - wrong}")
    return wrong or not pairs


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], pathlib.Path(sys.argv[2])) else 0)
