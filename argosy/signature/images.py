"""Images (PNG, JPEG) to the tensor a model takes: the right channels, size, order and scale."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from argosy.signature.errors import InvalidInput
from argosy.signature.refusal import refuse
from argosy.signature.schema import bounds, numpy_type
from argosy.signature.spec import Feature, Image, Layout, Signature
from argosy.signature.tensors import Batch

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Array = NDArray[Any]
FORMATS = ("PNG", "JPEG")
# Eight bits a channel; Pillow would cut more of them off.
MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


def image_feature(signature: Signature) -> Feature | None:
    """Return the input that images can be sent for: the only one, described as an image."""
    first = signature.inputs[0]
    return first if len(signature.inputs) == 1 and first.image is not None else None


class ImageReader:
    """Reads images for one signature. Raises `ImportError` where Pillow is not installed."""

    def __init__(self, signature: Signature, feature: Feature, image: Image) -> None:
        import PIL.Image  # noqa: F401, PLC0415 - of an extra

        held_in = signature.tensors[0].dtype
        self._batched = signature.batched
        self._feature = feature
        self._image = image
        self._size = image.size(feature.shape)
        self._tensor = feature.tensor
        self._type = numpy_type(held_in)
        self._bounds = bounds(feature, held_in)

    def read(self, contents: Sequence[bytes], max_pixels: int) -> Batch:
        """Return the batch of some images, a row each; raises `InvalidInput` that names the image.

        Together they may have `max_pixels`, known from their heads before anything is unpacked.
        """
        rows: list[Array] = []
        left = max_pixels
        for place, content in enumerate(contents):
            where: list[str | int] = [self._feature.name, place]
            array, pixels = self._array(content, where, left, max_pixels)
            left -= pixels
            if rows and array.shape != rows[0].shape:
                raise refuse(where, "Images of one request should have one size", "array_shape")
            if not ((array >= self._bounds[0]) & (array <= self._bounds[1])).all():
                message = f"Values should be from {self._bounds[0]:.15g} to {self._bounds[1]:.15g}"
                raise refuse(where, message, "number_range")
            rows.append(array)
        if self._batched:
            return Batch({self._tensor: np.stack(rows)}, len(rows))
        if len(rows) > 1:
            raise refuse([self._feature.name], "This model takes one row in a request", "too_long")
        shape = (1,) * (len(self._feature.shape) - rows[0].ndim) + rows[0].shape
        return Batch({self._tensor: rows[0].reshape(shape)}, 1)

    def _array(self, content: bytes, where: list[str | int], left: int, most: int) -> tuple[Array, int]:
        from PIL import Image as Pillow  # noqa: PLC0415

        try:
            with Pillow.open(BytesIO(content), formats=FORMATS) as picture:
                pixels = picture.width * picture.height
                if pixels > left:
                    raise _too_large(where, most)
                if picture.mode not in MODES:
                    raise refuse(where, "Images should have 8 bits a channel", "image_depth")
                return self._values(self._prepared(picture)), pixels
        except InvalidInput:
            raise
        except Pillow.DecompressionBombError:
            raise _too_large(where, most) from None
        except Exception as error:  # the decoders fail with every kind of exception
            raise refuse(where, "Input should be a PNG or JPEG image that is whole", "image_invalid") from error

    def _prepared(self, picture: "Picture") -> "Picture":
        from PIL import Image as Pillow  # noqa: PLC0415
        from PIL import ImageOps  # noqa: PLC0415

        upright = ImageOps.exif_transpose(picture).convert(self._image.mode.value)
        height, width = self._size
        size = (width or upright.width, height or upright.height)
        return upright if upright.size == size else upright.resize(size, Pillow.Resampling[self._image.resampling.name])

    def _values(self, picture: "Picture") -> Array:
        image = self._image
        array: Array = np.asarray(picture, dtype=np.uint8).reshape(picture.height, picture.width, -1)
        if not image.is_plain:
            array = array.astype(np.float32) * np.float32(image.scale)
            array = array - np.array(image.mean or 0, np.float32)
            array = array / np.array(image.std or 1, np.float32)
        if image.layout is Layout.CHW:
            array = array.transpose(2, 0, 1)
        return np.ascontiguousarray(array, dtype=self._type)


def _too_large(where: list[str | int], most: int) -> InvalidInput:
    return refuse(where, f"The images of one request may have {most} pixels together", "too_many_pixels", status=413)
