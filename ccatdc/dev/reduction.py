"""A small reduction for the demo: timestreams of one observation become a map and its picture.

Runs as the command of a pipeline, as any reduction would: it knows ``WORKFLOW_MANIFEST`` and nothing of the data center, and
needs numpy, astropy and Pillow. The demo's timestreams are noise: each byte is a sample of one detector, which moves over
a square in a Lissajous curve. A map is the mean of all samples in a pixel, after the mean of each file was taken off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from PIL import Image

#: Samples that are held at once.
BLOCK_SAMPLES: Final = 4_000_000
#: Sweeps of the curve in one file, in both directions: no common factor, so that it covers the square.
SWEEPS: Final = (37, 41)
_SIZES: Final = range(8, 1025)
Array = npt.NDArray[Any]


class Map:
    """Sums and numbers of samples by pixel; ``size`` pixels on each side."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.sums = np.zeros(size * size)
        self.hits = np.zeros(size * size, dtype=np.int64)

    def add(self, file: Path) -> None:
        """All samples of one file. Raises ValueError for an empty one."""
        samples = file.stat().st_size
        if not samples:
            raise ValueError(f"{file.name} has no samples")
        mean = sum(float(block.sum(dtype=np.int64)) for block in _blocks(file)) / samples
        begin = 0
        for block in _blocks(file):
            pixels = self._pixels(np.arange(begin, begin + len(block)) / samples)
            self.sums += np.bincount(pixels, weights=block - mean, minlength=self.size**2)
            self.hits += np.bincount(pixels, minlength=self.size**2)
            begin += len(block)

    def _pixels(self, part: Array) -> Array:
        """Where the detector looks when so much of the file is over (0 to 1)."""
        x, y = ((np.sin(2 * np.pi * sweeps * part + sweeps) + 1) / 2 for sweeps in SWEEPS)
        column, row = (np.minimum((axis * self.size).astype(np.int64), self.size - 1) for axis in (x, y))
        return np.asarray(row * self.size + column)

    def mean(self) -> Array:
        """The map; NaN where nothing was seen."""
        with np.errstate(invalid="ignore"):
            return np.asarray((self.sums / self.hits).reshape(self.size, self.size))


def main() -> None:
    """Read the manifest, reduce the detector data of every module, write the products and what they are."""
    manifest = json.loads(Path(os.environ["WORKFLOW_MANIFEST"]).read_text())
    size = manifest["configuration"].get("pixels", 64)
    if size not in _SIZES:
        raise SystemExit(f"pixels is {size!r}; it is a number from {_SIZES[0]} to {_SIZES[-1]}")
    inputs, output = Path(manifest["input"]), Path(manifest["output"])
    files: dict[str, list[Path]] = {}
    first: dict[str, dict[str, Any]] = {}
    for entry in manifest["inputs"]:
        found = [file for path in entry["paths"] for file in _timestreams(inputs / path)]
        if found:
            print(f"{entry['name']}: {len(found)} files")
            files.setdefault(entry["module"], []).extend(found)
            first.setdefault(entry["module"], entry)
    products = [each for name in files for each in _reduce(manifest, first[name], files[name], size, output)]
    if not products:
        raise SystemExit("No timestreams in the inputs")
    (output / "manifest.json").write_text(json.dumps({"products": products}))


def _timestreams(place: Path) -> list[Path]:
    """Detector files of a staged package, without the housekeeping."""
    files = sorted(file for file in place.rglob("*") if file.is_file())
    return [file for file in files if file.suffix in (".g3", ".fits") and "hk" not in file.parts]


def _reduce(manifest: dict[str, Any], entry: dict[str, Any], files: list[Path], size: int, output: Path) -> list[Any]:
    result = Map(size)
    for file in files:
        result.add(file)
    image = result.mean()
    seen = image[np.isfinite(image)]
    metrics = {"files": len(files), "samples": int(result.hits.sum()), "rms": round(float(seen.std()), 6)}
    metrics["coverage"] = round(len(seen) / image.size, 4)
    name = entry["module"]
    _write_fits(output / "science" / f"{name}.fits", image, result, manifest, entry)
    _write_png(output / "plots" / f"{name}.png", image)
    (output / "statistics" / f"{name}.json").write_text(json.dumps(metrics))
    return [
        {
            "files": [f"science/{name}.fits"],
            "level": "l2",
            "quality_metrics": metrics,
            "description": "Map of mean samples",
        },
        {"files": [f"plots/{name}.png"], "description": "Quick look at the map"},
    ]


def _write_fits(path: Path, image: Array, result: Map, manifest: dict[str, Any], entry: dict[str, Any]) -> None:
    header = fits.Header()
    header["TELESCOP"] = "FYST"
    header["INSTRUME"] = entry["instrument"]
    header["OBJECT"] = entry["target"]
    header["DATE-OBS"] = entry["start_time"].partition("+")[0]
    header["RUN"] = (manifest["run"], "processing run")
    header["CREATOR"] = f"{manifest['software']['name']} {manifest['software']['version']}"
    header["BUNIT"] = "count"
    hits = fits.ImageHDU(result.hits.reshape(image.shape).astype(np.int32), name="HITS")
    fits.HDUList([fits.PrimaryHDU(image.astype(np.float32), header), hits]).writeto(path, checksum=True)


def _write_png(path: Path, image: Array) -> None:
    """Grey, from the first to the last percent; what was not seen is black."""
    low, high = np.nanpercentile(image, [1, 99])
    grey = np.clip((np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-9), 0, 1)
    picture = Image.fromarray((grey * 255).astype(np.uint8)[::-1])
    picture.resize((image.shape[1] * 4, image.shape[0] * 4), Image.Resampling.NEAREST).save(path)


def _blocks(file: Path) -> Iterator[Array]:
    with file.open("rb") as stream:
        while data := stream.read(BLOCK_SAMPLES):
            yield np.frombuffer(data, dtype=np.uint8)


if __name__ == "__main__":
    main()
