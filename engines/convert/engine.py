"""The `convert` engine: read, cut, scale, put on a background, write."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from engines import images
from engines.base import BadInput, Context, Output
from engines.convert.focus import busiest
from engines.convert.sizing import Plan, Wanted, planned
from engines.convert.spec import ANCHORS, ConvertParams
from engines.cropping import placed
from engines.notation import TRANSPARENT, rgba, width_to_height
from engines.resampling import Region, resized

#: Raised with every change that alters results.
RECIPE = "1"

#: Pixels that a type's files hold on a side.
_SIDES = {"webp": 16_383}
#: What is written of a type. An AVIF takes its writer 30 bytes a pixel, and time that cannot be interrupted.
_PIXELS = {"avif": 24_000_000}


class Engine:
    """Changes one picture. What its file said besides (where it was taken, by whom) is not handed on."""

    device = "cpu"

    def setup(self) -> None:
        """There is nothing to load."""

    def run(self, params: ConvertParams, context: Context) -> Iterator[Output]:
        """One picture. Raises BadInput for one that cannot be read, or would become too large."""
        context.progress(0.0, "reading")
        try:
            picture = images.load(context.input(params.image))
        except BadInput as error:
            raise BadInput(str(error), field="image") from error
        plan = planned(picture.size, _wanted(params))
        _check_format(params.format, *plan.whole)
        context.progress(0.4, "scaling")
        region = _region(picture, plan, params)
        result = _backed(resized(picture, plan.scaled, region), plan, params)
        context.progress(0.7, "writing")
        meta = {
            "engine": "convert",
            "recipe": RECIPE,
            "seed": params.seed,
            "width": result.width,
            "height": result.height,
            "from": list(picture.size),
            "kept": list(region),  # left, top, right, bottom
        }
        data = images.encode(result, params.format, meta, params.quality)
        name = f"picture.{images.SUFFIXES[params.format]}"
        yield Output(name, images.MEDIA_TYPES[params.format], data, meta)


def _check_format(kind: str, width: int, height: int) -> None:
    """Raises BadInput for more than is written as that type."""
    side, pixels = _SIDES.get(kind), _PIXELS.get(kind)
    if side is not None and max(width, height) > side:
        raise BadInput(
            f"a {kind} has at most {side:,} pixels on a side, not {width} x {height}", field="format"
        )
    if pixels is not None and width * height > pixels:
        most = f"an {kind} is made of at most {pixels // 10**6} megapixels"
        raise BadInput(f"{most}, not of {width} x {height} pixels", field="format")


def _wanted(params: ConvertParams) -> Wanted:
    return Wanted(
        width=params.width,
        height=params.height,
        scale=params.scale,
        crop=width_to_height(params.crop) if params.crop else None,
        fit=params.fit,
        enlarge=params.enlarge,
    )


def _region(picture: Image.Image, plan: Plan, params: ConvertParams) -> Region:
    if plan.kept == picture.size:
        return placed(picture.size, plan.kept)
    anchor = busiest(picture, plan.kept) if params.focus == "auto" else ANCHORS[params.focus]
    return placed(picture.size, plan.kept, anchor)


def _backed(picture: Image.Image, plan: Plan, params: ConvertParams) -> Image.Image:
    """As large as the plan says, on its background; RGB where nothing of it can be seen through."""
    background = params.background or ("white" if params.format == "jpeg" else TRANSPARENT)
    if picture.size == plan.whole and (picture.mode == "RGB" or background == TRANSPARENT):
        return picture
    colour = rgba(background)
    behind = Image.new("RGBA", plan.whole, colour)
    place = (plan.whole[0] - picture.width) // 2, (plan.whole[1] - picture.height) // 2
    if picture.mode == "RGB":
        behind.paste(picture, place)
    else:
        behind.alpha_composite(picture, place)
    return behind.convert("RGB") if colour[3] == 255 else behind
